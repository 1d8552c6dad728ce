import { explain, type PageAnswer } from './page-answer.js'
import { create } from './elements.js'

type Kind = 'good' | 'bad' | 'plain'

/** The line at the end of a section that says how the last request went and which worker served it. Announced on change. */
export class Notice {
  readonly #line: HTMLElement

  constructor(sectionId: string) {
    const line = document.querySelector<HTMLElement>(`#${sectionId} .notice`)
    if (line === null) throw new Error(`#${sectionId} has no notice`)
    this.#line = line
  }

  /** The request has failed. */
  fail(answer: PageAnswer): void {
    this.show('bad', explain(answer), answer)
  }

  show(kind: Kind, text: string, answer?: PageAnswer): void {
    this.#line.dataset['kind'] = kind
    this.#line.replaceChildren(create('span', text))
    if (answer?.cache !== undefined) this.#line.append(create('span', `cache ${answer.cache}`, 'badge cache'))
    if (answer === undefined || answer.status === 0) return
    const worker =
      answer.worker === undefined ? 'worker not told: start with EXPOSE_WORKER=1' : `worker ${answer.worker}`
    this.#line.append(create('span', worker, 'badge worker'))
  }
}

/** Runs one request at a time for a form. Its buttons are disabled in the meantime. */
export async function busy(form: HTMLElement, work: () => Promise<void>): Promise<void> {
  const buttons = [...form.querySelectorAll('button')]
  // The button with the focus is not disabled at once, because a keyboard user would lose the focus.
  if (form.ariaBusy === 'true') return
  form.ariaBusy = 'true'
  for (const button of buttons) button.ariaDisabled = 'true'
  try {
    await work()
  } finally {
    form.ariaBusy = 'false'
    for (const button of buttons) button.ariaDisabled = 'false'
  }
}
