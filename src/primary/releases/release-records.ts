import fs from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { STARTED } from './release-switch.js'

/**
 * - `installed`: it has not been live; after a crash this means that its deploy was cut short
 * - `previewed`: it was ready, and no client has got it
 * - `live`: it was, or is, the release of all clients
 * - `taken-back`: it has failed, and its files are gone
 */
const outcomes = ['installed', 'previewed', 'live', 'taken-back'] as const

const recordSchema = z.object({
  id: z.string(),
  /** When it was made, in milliseconds since 1970. */
  at: z.number(),
  /** Its source, as people know it. */
  source: z.string(),
  outcome: z.enum(outcomes),
  /** Why it was taken back. */
  reason: z.string().optional(),
  /** The release whose files it runs, if it has none of its own. */
  files: z.string().optional(),
  /** The file of its app, from its folder. */
  main: z.string().optional(),
})

const stateSchema = z.object({
  live: z.string(),
  /** The previous release, for a rollback. */
  previous: z.string().optional(),
  /** The number of the last release. */
  last: z.number(),
  /** The release in preview: a start of the program begins it again. */
  preview: z.string().optional(),
  /** Whether the release `start` is a copy that was kept of the app, and no longer the folder of the app. */
  startedIsKept: z.boolean().optional(),
})

const envSchema = z.record(z.string(), z.string())

export type ReleaseRecord = z.infer<typeof recordSchema>
export type ReleaseState = z.infer<typeof stateSchema>

/** A file of the releases has no usable content, as after a power cut on a disk that does not keep its word. */
class DamageError extends Error {}

export const recordIn = (release: string): ReleaseRecord => read(join(release, 'release.json'), recordSchema)
export const envIn = (release: string): Record<string, string> => read(join(release, 'env.json'), envSchema)
export const stateFrom = (path: string): ReleaseState => read(path, stateSchema)

/** Why a release cannot be served whole. @throws {Error} that cannot be told: its files cannot be read by this user */
export function damageOf(folder: string, id: string): string | undefined {
  const release = join(folder, id)
  if (!fs.existsSync(release)) return 'is not there'
  try {
    const { files, main } = recordIn(release)
    envIn(release)
    if (files === STARTED) return undefined
    const app = join(folder, files ?? id, 'app')
    if (!fs.existsSync(app)) throw new DamageError(`${app} is missing`)
    const manifest = join(app, 'package.json')
    if (fs.existsSync(manifest)) requireContent(manifest)
    if (main !== undefined) requireContent(join(app, main))
    return undefined
  } catch (error) {
    if (error instanceof DamageError) return `is damaged: ${error.message}`
    throw error
  }
}

/** @throws {DamageError} it was cut off @throws {Error} it cannot be read at all */
function read<T>(path: string, schema: z.ZodType<T>): T {
  const text = textOf(path)
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new DamageError(`${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function textOf(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new DamageError(`${path} is missing`, { cause })
  }
}

/** A file that was not written to its end is often empty, or full of zeros. */
function requireContent(path: string): void {
  if (/^\0*$/.test(textOf(path))) throw new DamageError(`${path} is empty`)
}
