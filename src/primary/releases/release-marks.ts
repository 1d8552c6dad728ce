import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { writeSynced } from '../../process/synced-file.js'

const FILE = 'files.json'

/** Packages are many, and some write into their own folder. */
const UNMARKED = 'node_modules'
const MOST_FILES = 5_000
/** More at once are not read faster. */
const AT_ONCE = 16
/** A larger file that has another time counts as changed. */
const HASHED_BYTES = 1024 ** 2

/** The size of a file, its time, and the hash of its content. */
const markSchema = z.object({ size: z.number(), mtimeMs: z.number(), hash: z.string().optional() })
const marksSchema = z.record(z.string(), markSchema)

type Mark = z.infer<typeof markSchema>

/** Files of a release that are not as they were deployed. */
export interface ChangedFiles {
  count: number
  /** The first of them. */
  files: string[]
}

const SHOWN = 5

/**
 * Marks the files of a release, before anybody runs it. One that has too many files, or files that cannot be read, has
 * no marks.
 * @param app its folder
 */
export async function markFiles(app: string): Promise<void> {
  try {
    await mark(app)
  } catch {
    // A release is as good without.
  }
}

async function mark(app: string): Promise<void> {
  const names: string[] = []
  if (!(await collect(app, '', names))) return
  const marks = await inTurn(names, async name => [name, await markOf(join(app, name))] as const)
  writeSynced(join(dirname(app), FILE), JSON.stringify(Object.fromEntries(marks)))
}

/** Files that were changed or removed since they were marked. New ones do not count. Undefined: none, or there are no marks. */
export async function changedFiles(app: string): Promise<ChangedFiles | undefined> {
  const marks = await marksOf(app)
  const looks = await inTurn(Object.entries(marks), async ([name, mark]) =>
    (await isChanged(join(app, name), mark)) ? name : undefined,
  )
  const files = looks.filter(name => name !== undefined)
  return files.length === 0 ? undefined : { count: files.length, files: files.slice(0, SHOWN) }
}

/** An unreadable list says nothing against a release. */
async function marksOf(app: string): Promise<Record<string, Mark>> {
  try {
    return marksSchema.parse(JSON.parse(await fs.readFile(join(dirname(app), FILE), 'utf8')))
  } catch {
    return {}
  }
}

async function isChanged(path: string, { size, mtimeMs, hash }: Mark): Promise<boolean> {
  try {
    const now = await fs.lstat(path)
    if (!now.isFile() || now.size !== size) return true
    if (now.mtimeMs === mtimeMs) return false
    return hash === undefined || (await hashOf(path)) !== hash
  } catch {
    return true
  }
}

async function markOf(path: string): Promise<Mark> {
  const { size, mtimeMs } = await fs.stat(path)
  return { size, mtimeMs, ...(size <= HASHED_BYTES && { hash: await hashOf(path) }) }
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let i = 0; i < items.length; i += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(i, i + AT_ONCE).map(work))))
  }
  return results
}

async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await fs.readFile(path))
    .digest('base64')
}

/** @returns whether these are all */
async function collect(app: string, below: string, names: string[]): Promise<boolean> {
  for (const entry of await fs.readdir(join(app, below), { withFileTypes: true })) {
    const name = join(below, entry.name)
    if (entry.isDirectory() && entry.name !== UNMARKED && !(await collect(app, name, names))) return false
    if (entry.isFile()) names.push(name)
    if (names.length > MOST_FILES) return false
  }
  return true
}
