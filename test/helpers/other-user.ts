import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { program } from './cluster.js'
import { temporaryFolder, type Harness } from './harness.js'

const isRoot = process.getuid?.() === 0

/** Why no test can run the program as this user; false if one can. */
export function hindrance(uid: number): string | false {
  if (!isRoot) return 'needs root'
  return reaches(uid, program) ? false : 'another user cannot read this clone'
}

/** This Node, or a copy of it where the user cannot reach it, as in root's home folder. */
export function nodeFor(t: Harness, uid: number): string {
  if (reaches(uid, process.execPath)) return process.execPath
  const folder = temporaryFolder(t)
  chmodSync(folder, 0o755)
  const copy = join(folder, 'node')
  copyFileSync(process.execPath, copy)
  return copy
}

/** Whether this user can read the file. */
export function reaches(uid: number, path: string): boolean {
  const as = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups']
  return spawnSync('setpriv', [...as, 'test', '-r', path]).status === 0
}
