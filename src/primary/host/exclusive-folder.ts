import fs from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { mayOthersWrite, type UserLists } from '../../process/others-write.js'

const STICKY = 0o1000
const OTHERS = 0o077

/**
 * Refuses a folder whose content another user could replace. Others may not write to it, nor to a folder above it, where
 * they could move it away and put another one in its place. In a sticky folder like /tmp they cannot move ours, which is
 * then closed to them. A group counts as others unless this user is its only one.
 * @throws {Error} names DATA_DIR, the folder and the remedy
 */
export function requireExclusive(folder: string, lists?: UserLists): void {
  const real = fs.realpathSync(folder)
  refuse(real, fs.statSync(real), lists)
  // A link is kept in a folder of its own, where it could be replaced.
  for (const path of new Set([real, folder])) refuseParentsOf(path, lists)
}

function refuseParentsOf(path: string, lists: UserLists | undefined): void {
  for (let [below, at] = [path, dirname(path)]; below !== at; [below, at] = [at, dirname(at)]) {
    const parent = fs.statSync(at)
    if ((parent.mode & STICKY) === 0) refuse(at, parent, lists)
    else if (mayOthersWrite(parent, ownName(), lists)) keepInSticky(below, path)
  }
}

/** @param path DATA_DIR itself, which is closed to others */
function keepInSticky(below: string, path: string): void {
  const { uid, mode } = fs.lstatSync(below)
  if (uid !== process.getuid?.() && uid !== 0) {
    throw new Error(`DATA_DIR: ${below} is in a folder that others may write to, and must belong to this user`)
  }
  if (below === path && (mode & OTHERS) !== 0 && uid === process.getuid?.()) fs.chmodSync(below, mode & ~OTHERS)
}

function refuse(path: string, stats: fs.Stats, lists: UserLists | undefined): void {
  if (!mayOthersWrite(stats, ownName(), lists)) return
  const mode = (stats.mode & 0o7777).toString(8)
  throw new Error(
    `DATA_DIR: others may write to ${path} (mode ${mode}): run "chmod go-w ${path}", or choose another folder`,
  )
}

function ownName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined // not every user has an entry
  }
}
