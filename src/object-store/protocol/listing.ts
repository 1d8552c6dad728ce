import { fromByteString, toByteString, type IndexEntry, type ObjectIndex } from '../disk/object-index.js'

export interface ListQuery {
  readonly prefix: string
  /** Empty: no grouping. */
  readonly delimiter: string
  /** The page begins after this key (or this common prefix and all keys under it). Empty: at the beginning. */
  readonly after: string
  readonly maxKeys: number
}

export interface ListPage {
  readonly contents: readonly { readonly key: string; readonly entry: IndexEntry }[]
  readonly commonPrefixes: readonly string[]
  /** The `after` of the next page; undefined when this one is the last. */
  readonly next: string | undefined
}

/**
 * One page of a bucket, keys and common prefixes in one order and counted together. Every step seeks: a common prefix
 * costs the same whether one key or a million are under it.
 */
export function listPage(index: ObjectIndex, query: ListQuery): ListPage {
  const prefix = toByteString(query.prefix)
  const delimiter = toByteString(query.delimiter)
  const contents: { key: string; entry: IndexEntry }[] = []
  const commonPrefixes: string[] = []
  if (query.maxKeys === 0) return { contents, commonPrefixes, next: undefined }

  let position = startOf(prefix, delimiter, toByteString(query.after))
  let last = ''
  for (;;) {
    const bytes = index.firstFrom(position)
    if (bytes === undefined || !bytes.startsWith(prefix)) return { contents, commonPrefixes, next: undefined }
    if (contents.length + commonPrefixes.length === query.maxKeys) {
      return { contents, commonPrefixes, next: fromByteString(last) }
    }
    const common = commonPrefixOf(bytes, prefix, delimiter)
    if (common === undefined) {
      contents.push({ key: fromByteString(bytes), entry: index.entry(bytes) })
    } else {
      commonPrefixes.push(fromByteString(common))
    }
    last = common ?? bytes
    position = common === undefined ? `${bytes}\0` : successor(common)
  }
}

/** The key up to the first delimiter behind the prefix, that delimiter included. */
export function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

function startOf(prefix: string, delimiter: string, after: string): string {
  if (after < prefix) return prefix
  const common = after.startsWith(prefix) ? commonPrefixOf(after, prefix, delimiter) : undefined
  return common === undefined ? `${after}\0` : successor(common)
}

/** The first string after all that begin with `bytes`. UTF-8 has no byte 0xff, so the last byte can be incremented. */
function successor(bytes: string): string {
  return bytes.slice(0, -1) + String.fromCharCode(bytes.charCodeAt(bytes.length - 1) + 1)
}
