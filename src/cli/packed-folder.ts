import { existsSync, readdirSync, readFileSync, type Dirent } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import ignore, { type Ignore } from 'ignore'
import { findAppModule } from '../config/app-module.js'
import { lockfileOf } from '../config/lockfiles.js'
import { exitCodes } from '../process/exit.js'
import { realPath } from '../process/real-path.js'
import { Failure } from './failure.js'

/** The first of these that a folder has says what is left out. */
const LISTS = ['.outpostignore', '.npmignore', '.gitignore'] as const

/** Never part of a release. */
const NEVER = new Set(['.git', '.outpost'])
const PACKAGES = 'node_modules'

/** The files that a folder and those below it leave out. */
interface Rules {
  readonly base: string
  readonly list: Ignore
  /** Those of the list that name node_modules. */
  readonly ofPackages: Ignore
}

export interface PackOptions {
  folder: string
  /** The DATA_DIR of the instance. Files that an instance writes are in none of its releases. */
  dataDir: string
  /** The file that is started, absolute; undefined when only the folder says so. */
  app: string | undefined
}

/**
 * The paths of a folder that go into its release, relative to it: files, links, and folders before what is in them.
 * The first list that is there says what is left out: .outpostignore, .npmignore or .gitignore. The folder with the
 * app's file is often built, and therefore in .gitignore. It is packed all the same.
 */
export function packedPaths({ folder, dataDir, app }: PackOptions): string[] {
  const root = realPath(resolve(folder))
  const written = realPath(resolve(dataDir))
  const name = LISTS.find(list => existsSync(join(root, list)))
  const built = name === '.gitignore' ? builtFolder(root, app && realPath(app)) : undefined
  // npm never packs node_modules, so a list that is written for npm does not name it.
  const leavesPackages = name === '.npmignore' && lockfileOf(root) !== undefined
  const found: string[] = []
  const visit = (at: string, above: readonly Rules[]): void => {
    // A list in a package is for those who publish it.
    const isOfPackage = at.split('/').includes(PACKAGES)
    const rules = name === undefined || isOfPackage ? above : [...above, ...rulesIn(root, at, name)]
    for (const entry of readdirSync(join(root, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (NEVER.has(entry.name) || join(root, path) === written) continue
      if (leavesPackages && entry.name === PACKAGES) continue
      const isBuilt = built !== undefined && (path === built || path.startsWith(`${built}/`))
      if (!isBuilt && isLeftOut(path, entry, rules)) continue
      if (entry.isDirectory() || entry.isFile() || entry.isSymbolicLink()) found.push(path)
      if (entry.isDirectory()) visit(path, rules)
    }
  }
  visit('', [])
  return found
}

/** The folder as a compressed tar stream. */
export async function packFolder(options: PackOptions): Promise<Readable> {
  const { create } = await import('tar')
  const paths = packedPaths(options).map(path => `./${path}`)
  const cwd = resolve(options.folder)
  if (paths.length === 0)
    throw new Failure(exitCodes.usage, `${options.folder} has nothing to deploy: ${emptiness(cwd)}`)
  const { PassThrough } = await import('node:stream')
  const archive = create({ cwd, gzip: true, portable: true, noDirRecurse: true }, paths)
  const stream = new PassThrough()
  archive.on('error', error => stream.destroy(error as Error)).pipe(stream)
  return stream
}

function emptiness(folder: string): string {
  const name = LISTS.find(list => existsSync(join(folder, list)))
  return name === undefined ? 'the folder is empty' : `${name} leaves out all files`
}

function rulesIn(root: string, at: string, name: string): Rules[] {
  try {
    const lines = readFileSync(join(root, at, name), 'utf8').split('\n')
    const ofPackages = lines.filter(line => line.includes(PACKAGES))
    return [{ base: at, list: ignore().add(lines), ofPackages: ignore().add(ofPackages) }]
  } catch {
    return []
  }
}

/** The nearest list decides. A line such as `dist` means the app's own files, not those of a package that is packed. */
function isLeftOut(path: string, entry: Dirent, rules: readonly Rules[]): boolean {
  const shown = entry.isDirectory() ? `${path}/` : path
  const isOfPackage = path.split('/').slice(0, -1).includes(PACKAGES)
  for (const { base, list, ofPackages } of [...rules].reverse()) {
    const inBase = base === '' ? shown : shown.slice(base.length + 1)
    const { ignored, unignored } = (isOfPackage ? ofPackages : list).test(inBase)
    if (ignored || unignored) return ignored
  }
  return false
}

/** The first folder on the way to the app's file, e.g. `dist`. */
function builtFolder(root: string, app: string | undefined): string | undefined {
  const file = app !== undefined && isBelow(root, app) ? findAppModule(app)?.file : findAppModule(root)?.file
  const parts = relative(root, file ?? root).split('/')
  return parts.length > 1 && parts[0] !== '..' ? parts[0] : undefined
}

function isBelow(folder: string, path: string): boolean {
  const name = relative(folder, path)
  return name !== '' && !name.startsWith('..')
}
