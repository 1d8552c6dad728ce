import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { writeSynced } from '../process/synced-file.js'

const entrySchema = z.object({
  dataDir: z.string().describe('absolute'),
  pid: z.number().int().positive().describe('of the primary'),
})

export type RegisteredInstance = z.infer<typeof entrySchema>

/**
 * Writes down that an instance runs: a file of its own in `STATE/outpost/instances`, so that nothing is shared and
 * nothing is locked. The folder is in the home of the user, which is the same in a service, in a job of cron and after a
 * login. $XDG_RUNTIME_DIR is not. If the entry cannot be written, commands have to name the DATA_DIR.
 * @returns a function that removes the entry
 */
export function registerInstance(stateDir: string, instance: RegisteredInstance): () => void {
  const folder = folderIn(stateDir)
  const file = join(folder, `${createHash('sha256').update(instance.dataDir).digest('hex').slice(0, 16)}.json`)
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    forgetRemoved(folder)
    writeSynced(file, JSON.stringify(instance))
  } catch {
    return () => undefined
  }
  return () => fs.rmSync(file, { force: true })
}

/** Instances that may run. A killed one leaves its entry behind, so only its control API tells whether it runs. */
export function registeredInstances(stateDir: string): RegisteredInstance[] {
  const folder = folderIn(stateDir)
  const found = namesIn(folder).flatMap(name => entryOf(join(folder, name)) ?? [])
  return found.sort((a, b) => a.dataDir.localeCompare(b.dataDir))
}

function folderIn(stateDir: string): string {
  return join(stateDir, 'outpost', 'instances')
}

/** Entries stay few: those of folders that are gone are removed. */
function forgetRemoved(folder: string): void {
  for (const path of namesIn(folder).map(name => join(folder, name))) {
    const entry = entryOf(path)
    if (entry !== undefined && !fs.existsSync(entry.dataDir)) fs.rmSync(path, { force: true })
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter(name => name.endsWith('.json'))
  } catch {
    return []
  }
}

function entryOf(path: string): RegisteredInstance | undefined {
  try {
    return entrySchema.parse(JSON.parse(fs.readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}
