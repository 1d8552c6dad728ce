import { S3Error } from '../errors.js'

export interface XmlNode {
  /** Local name: S3 clients send their bodies with and without the namespace. */
  readonly name: string
  readonly children: readonly XmlNode[]
  readonly text: string
}

const MAX_DEPTH = 8
const NAME = /[A-Za-z_][\w.:-]*/y
const ATTRIBUTE = /\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*')/y
const SPACE = /\s*/y
const DECLARATION = /\s*<\?xml\s[^?<>]*\?>/y
const ENTITIES = new Map(Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }))
/** `&#x10ffff;` and `&#1114111;` are the longest ones, from `&` to `;`. */
const MAX_ENTITY = 9

/**
 * Elements, attributes (ignored), text and the predefined entities: the whole of what S3's request bodies use.
 * DOCTYPE, comments, CDATA and processing instructions are refused, so nothing can expand and nothing can be fetched;
 * the caller bounds the size and the number of elements, this bounds the depth.
 */
export function parseXml(source: string, maxElements: number): XmlNode {
  const cursor = new Cursor(source.startsWith('\uFEFF') ? source.slice(1) : source, maxElements)
  cursor.match(DECLARATION)
  cursor.match(SPACE)
  const root = parseElement(cursor, 1)
  cursor.match(SPACE)
  if (!cursor.atEnd()) malformed()
  return root
}

/**
 * Every child has one of the names.
 * @throws {S3Error} NotImplemented for another one, MalformedXML for text beside them
 */
export function requireChildren(node: XmlNode, names: readonly string[]): void {
  if (node.text.trim() !== '') malformed()
  for (const { name } of node.children) {
    if (!names.includes(name)) throw new S3Error('NotImplemented', `<${name}> in <${node.name}> is not implemented.`)
  }
}

/**
 * The text of the one child of this name.
 * @throws {S3Error} MalformedXML when there are two, because one of them would count for nothing, or when it has children
 */
export function childText(node: XmlNode, name: string): string | undefined {
  const [child, another] = node.children.filter(child => child.name === name)
  if (another !== undefined || (child !== undefined && child.children.length > 0)) malformed()
  return child?.text
}

class Cursor {
  #at = 0
  constructor(
    readonly source: string,
    private elementsLeft: number,
  ) {}

  countElement(): void {
    if (--this.elementsLeft < 0) malformed()
  }

  atEnd(): boolean {
    return this.#at === this.source.length
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.source)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  skip(literal: string): boolean {
    if (!this.source.startsWith(literal, this.#at)) return false
    this.#at += literal.length
    return true
  }

  untilTag(): string {
    const end = this.source.indexOf('<', this.#at)
    if (end < 0) return malformed()
    const text = this.source.slice(this.#at, end)
    this.#at = end
    return text
  }
}

function parseElement(cursor: Cursor, depth: number): XmlNode {
  if (depth > MAX_DEPTH || !cursor.skip('<')) malformed()
  cursor.countElement()
  const qualified = cursor.match(NAME) ?? malformed()
  while (cursor.match(ATTRIBUTE) !== undefined);
  cursor.match(SPACE)
  const name = qualified.slice(qualified.indexOf(':') + 1)
  if (cursor.skip('/>')) return { name, children: [], text: '' }
  if (!cursor.skip('>')) malformed()

  const children: XmlNode[] = []
  let text = ''
  for (;;) {
    text += decodeEntities(cursor.untilTag())
    if (cursor.skip('</')) break
    children.push(parseElement(cursor, depth + 1))
  }
  if (cursor.match(NAME) !== qualified) malformed()
  cursor.match(SPACE)
  if (!cursor.skip('>')) malformed()
  return { name, children, text: children.length > 0 ? text.trim() : text }
}

/** One entity after the other, so that the first one that is not known ends the work. */
function decodeEntities(text: string): string {
  let decoded = ''
  let done = 0
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', done)) {
    const end = text.indexOf(';', at)
    if (end < 0 || end - at > MAX_ENTITY) malformed()
    decoded += text.slice(done, at) + decodeEntity(text.slice(at + 1, end))
    done = end + 1
  }
  return decoded + text.slice(done)
}

function decodeEntity(name: string): string {
  if (!name.startsWith('#')) return ENTITIES.get(name) ?? malformed()
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? malformed()
  const code = hex === undefined ? parseInt(decimal ?? '', 10) : parseInt(hex, 16)
  return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? malformed() : String.fromCodePoint(code)
}

function malformed(): never {
  throw new S3Error('MalformedXML')
}
