import fs from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { startedAt } from '../process/process-table.js'
import { writeSynced } from '../process/synced-file.js'

/** Commands of root read what another user may have written. */
const MAX_MS = 15 * 60_000

const signSchema = z.object({
  /** The process that outlasts the upgrade. */
  launcher: z.object({ pid: z.number().int().positive(), startedAt: z.string().optional() }),
  /** How long the upgrade may take until commands are taken again, in milliseconds. */
  withinMs: z.number().positive(),
})

/** An upgrade during which nobody may answer commands, or a program after which another one would come. */
interface UpgradeSign {
  /** The pid of the process that outlasts the upgrade. */
  launcher: number
  withinMs: number
}

const fileIn = (dataDir: string): string => join(dataDir, 'upgrade.json')

/** From now on commands that find no program wait for the next one. */
export function announceUpgrade(dataDir: string, { launcher: pid, withinMs }: UpgradeSign): void {
  writeSynced(fileIn(dataDir), JSON.stringify({ launcher: { pid, startedAt: startedAt(pid) }, withinMs }))
}

/** None is to follow. */
export function withdrawUpgrade(dataDir: string): void {
  fs.rmSync(fileIn(dataDir), { force: true })
}

/** The upgrade that is under way. What a crash has left does not count: its launcher is gone. */
export function upgradeIn(dataDir: string): UpgradeSign | undefined {
  try {
    const { launcher, withinMs } = signSchema.parse(JSON.parse(fs.readFileSync(fileIn(dataDir), 'utf8')))
    const isThere = launcher.startedAt !== undefined && startedAt(launcher.pid) === launcher.startedAt
    return isThere ? { launcher: launcher.pid, withinMs: Math.min(withinMs, MAX_MS) } : undefined
  } catch {
    return undefined
  }
}
