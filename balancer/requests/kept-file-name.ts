import { createHash } from 'node:crypto'
import { CopyShelf, type ShelfLimits } from './copy-shelf.js'

/**
 * The name of a file with a copy. It has all that is needed to keep the folder within its bounds, so that one
 * reading of the folder is enough: `<group>-<name>-<bytes>-<time>`, and `.<writer>.part` while it is written.
 */
export interface KeptFileName {
  readonly file: string
  /** The hash of the copy's group: the path that was asked for. */
  readonly group: string
  /** The hashes of the copy's group and name. */
  readonly key: string
  readonly size: number
  /** When it was written or last passed, in milliseconds since 1970. */
  readonly at: number
  readonly isPart: boolean
}

const NAME = /^(([0-9a-f]{24})-[0-9a-f]{24})-(\d{1,15})-(\d{1,15})(\.\w+\.part)?$/

/** A file that has been written for longer than this was left by a process that has ended. */
const STALE_PART_MS = 60_000

/** @param group @param name any texts */
export function keptKey(group: string, name: string): string {
  return `${hashOf(group)}-${hashOf(name)}`
}

export function keptFileName(key: string, size: number, at: number): KeptFileName {
  return { file: `${key}-${size}-${at}`, group: key.slice(0, 24), key, size, at, isPart: false }
}

/** Undefined for a file that is not a copy. */
export function readKeptFileName(file: string): KeptFileName | undefined {
  const [, key, group, size, at, part] = NAME.exec(file) ?? []
  if (key === undefined || group === undefined) return undefined
  return { file, group, key, size: Number(size), at: Number(at), isPart: part !== undefined }
}

/** The copies to remove, for the others and `added` to be within the bounds. */
export interface FolderRoom {
  readonly remove: readonly string[]
  /** The copy that `added` replaces. It stays until `added` is written. */
  readonly replaced: readonly string[]
  /** The others, the oldest first. */
  readonly stay: readonly KeptFileName[]
  readonly fits: boolean
}

/**
 * @param found all files but the one that is being written for `added`
 * @param now in milliseconds since 1970
 */
export function roomIn(
  found: readonly KeptFileName[],
  limits: ShelfLimits,
  now: number,
  added?: KeptFileName,
): FolderRoom {
  const remove = new Set<string>()
  let { maxBytes, maxCount } = limits
  const replaced: string[] = []
  const others: KeptFileName[] = []
  for (const each of [...found].sort((a, b) => a.at - b.at)) {
    if (each.isPart && Math.abs(now - each.at) >= STALE_PART_MS) remove.add(each.file)
    else if (!each.isPart && each.key !== added?.key) others.push(each)
    else {
      maxBytes -= each.size
      maxCount -= 1
      if (!each.isPart) replaced.push(each.file)
    }
  }
  const shelf = new CopyShelf<KeptFileName>({ maxBytes: Math.max(maxBytes, 0), maxCount: Math.max(maxCount, 0) })
  for (const each of added === undefined ? others : [...others, added]) shelf.add(each.key, each)
  const stay = others.filter(each => shelf.get(each.key) === each)
  for (const { file } of others) remove.add(file)
  for (const { file } of stay) remove.delete(file)
  return { remove: [...remove], replaced, stay, fits: added !== undefined && shelf.get(added.key) === added }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}
