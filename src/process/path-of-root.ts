import fs from 'node:fs'
import { dirname, isAbsolute, join, parse, resolve, sep } from 'node:path'
import { mayOthersWrite } from './others-write.js'

const ROOT = 0
const STICKY = 0o1000

/** How many links Linux follows. */
const MAX_LINKS = 40

/**
 * Returns where a path leads, if root alone decides that. A user who may write to a folder on the way, or to one that holds
 * a link of it, could lead root elsewhere, now or a moment later. In a sticky folder like /tmp others cannot move root's
 * files.
 * @throws {Error} names the folder in which somebody else decides
 */
export function pathOfRoot(path: string): string {
  const absolute = resolve(path)
  let at = parse(absolute).root
  const names = namesOf(absolute)
  for (let links = 0, name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      at = dirname(at)
      continue
    }
    const next = join(at, name)
    const entry = fs.lstatSync(next)
    if (!isOfRoot(at) && !(isSticky(at) && entry.uid === ROOT)) throw new Error(`others than root may write to ${at}`)
    if (!entry.isSymbolicLink()) {
      at = next
      continue
    }
    links += 1
    if (links > MAX_LINKS) throw new Error(`${path} has too many links`)
    const to = fs.readlinkSync(next)
    if (isAbsolute(to)) at = parse(to).root
    names.unshift(...namesOf(to))
  }
  return at
}

/** Whether root alone may write to this folder, and decides where its path leads. */
export function isOfRoot(folder: string): boolean {
  const stats = fs.statSync(folder)
  return stats.uid === ROOT && !mayOthersWrite(stats, 'root')
}

function isSticky(folder: string): boolean {
  const { uid, mode } = fs.statSync(folder)
  return uid === ROOT && (mode & STICKY) !== 0
}

function namesOf(path: string): string[] {
  return path.split(sep).filter(name => name !== '' && name !== '.')
}
