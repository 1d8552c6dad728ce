import { ask, type PageAnswer } from './page-answer.js'
import { element } from './elements.js'
import { busy, Notice } from './notice.js'

const notice = new Notice('products')

/** Looking a product up (and whether the cache had it), and saving it. */
export function startProducts(): void {
  const find = element('find-product', HTMLFormElement)
  const save = element('save-product', HTMLFormElement)
  find.addEventListener('submit', event => {
    event.preventDefault()
    void busy(find, lookUp)
  })
  save.addEventListener('submit', event => {
    event.preventDefault()
    if (find.reportValidity()) void busy(save, saveProduct)
  })
}

async function lookUp(): Promise<void> {
  const answer = await ask('GET', path())
  if (answer.status === 200) show(answer, `${nameOf(answer)} costs ${priceOf(answer)}.`)
  else if (answer.status === 404) notice.show('plain', 'There is no such product. Save one!', answer)
  else notice.fail(answer)
}

async function saveProduct(): Promise<void> {
  const { value: name } = element('product-name', HTMLInputElement)
  const price = Math.round(element('product-price', HTMLInputElement).valueAsNumber * 100)
  const answer = await ask('PUT', path(), { name, price })
  if (answer.status === 200) show(answer, `Saved: ${nameOf(answer)}, ${priceOf(answer)}.`)
  else if (answer.status === 401) notice.show('bad', 'Sign in to save products.', answer)
  else notice.fail(answer)
}

function show(answer: PageAnswer, text: string): void {
  element('product-name', HTMLInputElement).value = nameOf(answer)
  element('product-price', HTMLInputElement).value = priceOf(answer)
  notice.show('good', text, answer)
}

function path(): string {
  return `/products/${encodeURIComponent(element('product-id', HTMLInputElement).value)}`
}

function nameOf({ body }: PageAnswer): string {
  return String(body['name'])
}

/** Prices are kept in cents. */
function priceOf({ body }: PageAnswer): string {
  return (Number(body['price']) / 100).toFixed(2)
}
