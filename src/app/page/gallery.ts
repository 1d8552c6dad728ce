import { create, element } from './elements.js'

/** A file that was uploaded from this browser. */
export interface UploadedFile {
  key: string
  url: string
  name: string
  size: number
  contentType: string
}

const KEPT_IN = 'outpost.uploads'
const KEPT = 24
/** The types that the service shows in place. It sends all others as downloads. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/

/** The files uploaded from this browser. Only the browser keeps this list. */
export class Gallery {
  readonly #list = element('gallery', HTMLUListElement)
  #files = readFiles()

  constructor(private readonly onDelete: (file: UploadedFile) => void) {
    this.#draw()
  }

  add(file: UploadedFile): void {
    this.#files = [file, ...this.#files].slice(0, KEPT)
    this.#keep()
  }

  remove(key: string): void {
    this.#files = this.#files.filter(file => file.key !== key)
    this.#keep()
  }

  #keep(): void {
    localStorage.setItem(KEPT_IN, JSON.stringify(this.#files))
    this.#draw()
  }

  #draw(): void {
    this.#list.replaceChildren(...this.#files.map(file => this.#item(file)))
  }

  #item(file: UploadedFile): HTMLLIElement {
    const item = create('li')
    const link = create('a')
    link.href = file.url
    link.append(preview(file), create('div', file.name, 'caption'), create('div', sizeOf(file.size), 'size'))
    const remove = create('button', 'Delete')
    remove.type = 'button'
    remove.ariaLabel = `Delete ${file.name}`
    remove.addEventListener('click', () => this.onDelete(file))
    item.append(link, remove)
    return item
  }
}

function preview({ url, name, contentType }: UploadedFile): HTMLElement {
  if (!PICTURE.test(contentType)) return create('div', /\.(\w{1,5})$/.exec(name)?.[1] ?? 'file', 'type')
  const image = create('img')
  image.alt = name
  image.src = url
  return image
}

function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step] ?? ''}`
}

function readFiles(): UploadedFile[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT_IN) ?? '[]')
    return Array.isArray(kept) ? (kept as UploadedFile[]) : []
  } catch {
    return []
  }
}
