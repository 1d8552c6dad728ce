import fs from 'node:fs'
import * as z from 'zod'
import type { CronStatus } from '../../control/protocol.js'
import { writeSynced } from '../../process/synced-file.js'

export type Past = CronStatus['runs'][number]

const pastSchema = z.object({ at: z.string(), ms: z.number(), result: z.string() })
const fileSchema = z.record(z.string(), z.array(pastSchema))

/** The last runs of each job are kept. */
const MAX_PAST = 5
const MAX_RESULT = 500

/** The results of the last runs of each job. It is kept in a file, so it survives a restart of the program. */
export class CronHistory {
  /** By job, the newest first. */
  #past: Map<string, Past[]>

  /** @param path undefined: it is kept in memory alone. An unreadable file counts as an empty one. */
  constructor(private readonly path: string | undefined) {
    this.#past = new Map(Object.entries(this.#read()))
  }

  of(job: string): readonly Past[] {
    return this.#past.get(job) ?? []
  }

  /** @throws {Error} it could not be written; it is kept in memory */
  add(job: string, past: Past): void {
    const all = this.#past.get(job)
    if (all === undefined) return
    all.unshift({ ...past, result: past.result.slice(0, MAX_RESULT) })
    all.splice(MAX_PAST)
    if (this.path !== undefined) writeSynced(this.path, JSON.stringify(Object.fromEntries(this.#past)))
  }

  /** Keeps nothing of other jobs from now on. */
  follow(jobs: readonly string[]): void {
    this.#past = new Map(jobs.map(job => [job, this.#past.get(job) ?? []]))
  }

  #read(): Record<string, Past[]> {
    try {
      return this.path === undefined ? {} : fileSchema.parse(JSON.parse(fs.readFileSync(this.path, 'utf8')))
    } catch {
      return {}
    }
  }
}
