import { ArchiveError, NO_ARCHIVE, NOT_WHOLE } from './archive-error.js'

/** The facts in a header about the entry that follows it. */
export interface ToldFacts {
  path?: string
  target?: string
  size?: number
}

/** A block of 512 bytes that begins an entry. */
export interface Header {
  /** May be cut in the middle of a character, if the header before tells the whole. */
  path: Buffer
  target: Buffer
  size: number
  type: string
  isExecutable: boolean
}

/** The types of headers that tell of the entry that follows them: of pax, and of GNU. */
export const META = ['x', 'X', 'g', 'L', 'K']

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const KINDS: Readonly<Record<string, string>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'CharacterDevice',
  '4': 'BlockDevice',
  '5': 'folder',
  '6': 'FIFO',
  D: 'folder',
  S: 'SparseFile',
}

/** The kind of an entry of this type. A kind that no app has is named for people. */
export function kindOf(type: string, path: string): string {
  const kind = KINDS[type] ?? `special entry (type ${JSON.stringify(type)})`
  return kind === 'file' && path.endsWith('/') ? 'folder' : kind
}

/** @throws {ArchiveError} */
export function headerOf(block: Buffer, isFirst: boolean): Header {
  const text = (from: number, length: number): Buffer => untilNul(block.subarray(from, from + length))
  const malformed = (): ArchiveError => new ArchiveError(isFirst ? NO_ARCHIVE : `${NOT_WHOLE}: a header is malformed`)
  const number = (from: number, length: number): number => {
    const value = numberIn(block.subarray(from, from + length))
    if (value === undefined) throw malformed()
    return value
  }
  if (number(148, 8) !== checksumOf(block)) throw malformed()
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? text(345, 155) : Buffer.alloc(0)
  const parts = prefix.length > 0 ? [prefix, Buffer.from('/'), text(0, 100)] : [text(0, 100)]
  return {
    path: Buffer.concat(parts),
    isExecutable: (number(100, 8) & 0o100) !== 0,
    size: number(124, 12),
    type: block.toString('latin1', 156, 157),
    target: text(157, 100),
  }
}

/** Octal, or binary if the first bit is set. Undefined: neither, or negative. */
function numberIn(field: Buffer): number | undefined {
  const [first = 0, ...others] = field
  if (first >= 0x80) {
    const value = others.reduce((sum, byte) => sum * 256 + byte, first & 0x7f)
    return Number.isSafeInteger(value) ? value : undefined
  }
  const [, digits] = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1').replace(/\0.*$/s, '')) ?? []
  return digits === undefined ? undefined : Number.parseInt(digits === '' ? '0' : digits, 8)
}

/** The sum of all bytes, those of the checksum taken for spaces. */
function checksumOf(block: Buffer): number {
  let sum = 8 * 0x20
  for (let at = 0; at < block.length; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0
  return sum
}

/** @throws {ArchiveError} */
export function toldBy(type: string, meta: Buffer): ToldFacts {
  if (type === 'L') return { path: utf8(untilNul(meta)) }
  if (type === 'K') return { target: utf8(untilNul(meta)) }
  const told: ToldFacts = {}
  for (const [name, value] of recordsOf(meta)) {
    if (name.startsWith('GNU.sparse.')) throw new ArchiveError('it has sparse files: pack it without --sparse')
    if (!['path', 'linkpath', 'size'].includes(name) || value.length === 0) continue
    if (type === 'g') throw new ArchiveError(`it has a ${name} for all of its entries`)
    if (value.includes(0)) throw new ArchiveError(`it has a ${name} with a NUL`)
    const text = utf8(value)
    if (name === 'path') told.path = text
    if (name === 'linkpath') told.target = text
    if (name !== 'size') continue
    if (!/^\d{1,15}$/.test(text)) throw new ArchiveError(`it has the size ${JSON.stringify(text.slice(0, 50))}`)
    told.size = Number(text)
  }
  return told
}

/** `LENGTH NAME=VALUE\n`, one after the other. A value may have any bytes. */
function* recordsOf(meta: Buffer): Generator<[name: string, value: Buffer]> {
  for (let at = 0; at < meta.length;) {
    const space = meta.indexOf(' ', at)
    const digits = meta.toString('latin1', at, Math.max(at, Math.min(space, at + 10)))
    const end = at + Number(digits)
    const equals = meta.indexOf('=', space)
    const isWhole = /^[1-9]\d*$/.test(digits) && equals > space && equals < end && meta[end - 1] === 0x0a
    if (!isWhole || end > meta.length) throw new ArchiveError(`${NOT_WHOLE}: a header is malformed`)
    yield [meta.toString('latin1', space + 1, equals), meta.subarray(equals + 1, end - 1)]
    at = end
  }
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/**
 * Names that are no UTF-8 would become others, and two of them the same.
 * @throws {ArchiveError}
 */
export function utf8(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes)
  } catch {
    throw new ArchiveError(`the name ${JSON.stringify(bytes.toString('utf8').slice(0, 200))} is not UTF-8`)
  }
}
