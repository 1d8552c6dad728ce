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
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/**
 * Elements, attributes (ignored), text and the predefined entities: the whole of what S3's request bodies use.
 * DOCTYPE, comments, CDATA and processing instructions are refused, so nothing can expand and nothing can be fetched;
 * the caller bounds the size, this bounds the depth.
 */
export function parseXml(source: string): XmlNode {
  const cursor = new Cursor(source.startsWith('\uFEFF') ? source.slice(1) : source)
  cursor.match(DECLARATION)
  cursor.match(SPACE)
  const root = parseElement(cursor, 1)
  cursor.match(SPACE)
  if (!cursor.atEnd()) malformed()
  return root
}

export function childText(node: XmlNode, name: string): string | undefined {
  return node.children.find(child => child.name === name)?.text
}

class Cursor {
  #at = 0
  constructor(readonly source: string) {}

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

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(\w+));|&/g, (_whole, hex, decimal, name) => {
    if (typeof name === 'string') return ENTITIES[name] ?? malformed()
    const code = typeof hex === 'string' ? parseInt(hex, 16) : typeof decimal === 'string' ? parseInt(decimal, 10) : -1
    return code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? malformed() : String.fromCodePoint(code)
  })
}

function malformed(): never {
  throw new S3Error('MalformedXML')
}
