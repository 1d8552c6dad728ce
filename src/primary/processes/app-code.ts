import fs from 'node:fs'
import { dirname, extname, join } from 'node:path'

/** The code that a worker was started with, as far as it can be seen from outside. */
export interface AppCode {
  /** Another name when the main module was written, or when a link leads to another file. */
  readonly main: string
  /** In milliseconds since 1970. */
  readonly startedAt: number
  /** Whether a module beside the main one was written or added since then. */
  changedSince(ms: number): boolean
}

/** @param file the main module */
export function codeOf(file: string, now = Date.now()): AppCode {
  const found = fs.statSync(file, { throwIfNoEntry: false })
  const main = found === undefined ? '' : [found.dev, found.ino, found.size, found.mtimeMs].join()
  return { main, startedAt: now, changedSince: ms => hasChanged(packageFolderOf(file), ms, { left: MAX_ENTRIES }) }
}

/** A folder with more than that is not looked through to its end. */
const MAX_ENTRIES = 5_000
const MODULES = new Set(['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.jsx', '.tsx', '.node', '.wasm'])

/** The folder of the package that the file belongs to, else the file's own. */
function packageFolderOf(file: string): string {
  const own = dirname(file)
  for (let at = own; ; at = dirname(at)) {
    if (fs.existsSync(join(at, 'package.json'))) return at
    if (at === dirname(at)) return own
  }
}

/** Compares the times of the last change (ctime), which nobody can set. Files that are not modules may be the app's own data. */
function hasChanged(folder: string, ms: number, budget: { left: number }): boolean {
  for (const entry of entriesOf(folder)) {
    budget.left -= 1
    if (budget.left < 0) return false
    const { name } = entry
    const path = join(folder, name)
    if (entry.isDirectory() && name !== PACKAGES) {
      if (!name.startsWith('.') && hasChanged(path, ms, budget)) return true
    } else if (isCode(name) && changedAt(path) > ms) return true
  }
  return false
}

function isCode(name: string): boolean {
  return MODULES.has(extname(name)) || name === PACKAGES || name === 'package.json' || name.startsWith('.env')
}

/** Its own time changes when a package is added or removed. */
const PACKAGES = 'node_modules'

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

function changedAt(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? 0
}
