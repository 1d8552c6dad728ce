import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '#scripts/lib/free-port.js'
import { tryToAsk, type Reply } from '#scripts/lib/http-client.js'
import type { Started } from './processes.js'

export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

/** Sends JSON; a broken connection is a reply with status 0. */
export function post(origin: string, path: string, json: object): Promise<Reply> {
  return tryToAsk(origin, path, { json, timeoutMs: 10_000 })
}

const START_MS = 60_000
const SHOWN_OF_LOG = 600

/**
 * Resolves when GET /health is answered with 200 for the first time.
 * @throws with the end of the log of `started`, when it ends before that or takes too long
 */
export async function untilServing(origin: string, started?: Started): Promise<void> {
  const deadline = performance.now() + START_MS
  const end = { seen: false }
  void started?.over.then(() => (end.seen = true))
  while (performance.now() < deadline && !end.seen) {
    const { status } = await tryToAsk(origin, '/health', { timeoutMs: 2_000 })
    if (status === 200) return
    await sleep(10)
  }
  const said = started === undefined ? '' : fs.readFileSync(started.logFile, 'utf8').trim().slice(-SHOWN_OF_LOG)
  throw new Error(`${end.seen ? 'the program ended before it served' : 'the program did not serve in time'}: ${said}`)
}
