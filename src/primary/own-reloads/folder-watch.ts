import fs from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import ignore from 'ignore'
import type { Service } from '../../process/service.js'

export interface FolderWatchOptions {
  /** Paths are relative to it. */
  folder: string
  /** Files and folders, with all that is below; none: nothing is watched. */
  paths: readonly string[]
  /** By the rules of .gitignore. */
  ignored: readonly string[]
  /** The folder that the instance writes itself. */
  dataDir: string
  /** Something has changed, and nothing more for a moment. @param path the last one, relative to the folder */
  onChange(path: string): void
  /** Not all is watched. @param reason for the log */
  onFault(reason: string): void
}

/** Editors and compilers write several files, some of them twice. */
const QUIET_MS = 300
const MAX_FOLDERS = 2_000
/** As PM2 does: hidden files, and packages. */
const NEVER = ['.*', 'node_modules']

/** Watches files for changes: for development. Links to folders are not followed. */
export class FolderWatch implements Service {
  readonly #watchers = new Map<string, fs.FSWatcher>()
  /** The names of the single files that are watched, by their folder. */
  readonly #only = new Map<string, Set<string>>()
  readonly #rules: ReturnType<typeof ignore>
  #quiet: NodeJS.Timeout | undefined
  #isFull = false

  constructor(private readonly options: FolderWatchOptions) {
    this.#rules = ignore().add([...NEVER, ...options.ignored])
  }

  start(): Promise<void> {
    const { folder, paths } = this.options
    for (const path of paths.map(path => resolve(folder, path))) {
      const stat = kindOf(path, fs.statSync)
      if (stat === undefined) this.options.onFault(`${relative(folder, path)} is missing or cannot be read`)
      else if (stat.isDirectory()) this.#watchAll(path)
      else this.#watchFile(path)
    }
    return Promise.resolve()
  }

  stop(): Promise<void> {
    clearTimeout(this.#quiet)
    for (const path of [...this.#watchers.keys()]) this.#leave(path)
    return Promise.resolve()
  }

  /** How many folders are watched. */
  get folders(): number {
    return this.#watchers.size
  }

  #watchFile(path: string): void {
    const folder = dirname(path)
    const names = this.#only.get(folder) ?? new Set()
    if (!this.#watchers.has(folder)) this.#only.set(folder, names.add(basename(path)))
    else if (this.#only.has(folder)) names.add(basename(path))
    this.#watch(folder)
  }

  #watchAll(path: string): void {
    if (this.#isIgnored(path)) return
    this.#only.delete(path)
    if (!this.#watch(path)) return
    for (const entry of entriesOf(path)) if (entry.isDirectory()) this.#watchAll(join(path, entry.name))
  }

  #watch(path: string): boolean {
    if (this.#watchers.has(path)) return true
    if (this.#watchers.size >= MAX_FOLDERS) return this.#tellFull(`the limit is ${MAX_FOLDERS} folders`)
    try {
      const watcher = fs.watch(path, (_event, name) => this.#changed(path, name ?? ''))
      watcher.on('error', () => this.#leave(path))
      this.#watchers.set(path, watcher)
      return true
    } catch (error) {
      return this.#tellFull((error as Error).message)
    }
  }

  #tellFull(reason: string): false {
    if (!this.#isFull) this.options.onFault(`some files cannot be watched: ${reason}`)
    this.#isFull = true
    return false
  }

  #changed(folder: string, name: string): void {
    const path = join(folder, name)
    const only = this.#only.get(folder)
    if (this.#isIgnored(path) || (only !== undefined && !only.has(name))) return
    const stat = kindOf(path)
    if (only === undefined && stat?.isDirectory() === true) this.#watchAll(path)
    else if (stat === undefined) this.#leave(path)
    clearTimeout(this.#quiet)
    this.#quiet = setTimeout(() => this.options.onChange(relative(this.options.folder, path)), QUIET_MS)
  }

  #isIgnored(path: string): boolean {
    const { folder, dataDir } = this.options
    if (path === dataDir) return true
    const name = relative(folder, path)
    // The rules are for what is below the folder.
    if (name === '' || name.startsWith('..')) return false
    return this.#rules.ignores(name) || this.#rules.ignores(`${name}/`)
  }

  /** With all that was below it: a folder that was moved away is not the one that takes its place. */
  #leave(path: string): void {
    for (const [watched, watcher] of this.#watchers) {
      if (watched !== path && !watched.startsWith(path + sep)) continue
      watcher.close()
      this.#watchers.delete(watched)
    }
  }
}

/** Undefined for what is not there, or may not be looked at: what happens in a folder must not end the program. */
function kindOf(path: string, statOf: typeof fs.lstatSync = fs.lstatSync): fs.Stats | undefined {
  try {
    return statOf(path)
  } catch {
    return undefined
  }
}

function entriesOf(path: string): fs.Dirent[] {
  try {
    return fs.readdirSync(path, { withFileTypes: true })
  } catch {
    return []
  }
}
