import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import { clientOf, type FoundInstance } from './find-instance.js'
import { urlOf } from './status.js'
import type { Status } from '../control/protocol.js'

const LOOK_EVERY_MS = 50
/** The stop of the old version, the start of the new one, and in the worst case that of the old one again. */
const TAKEOVER_MS = 5 * 60_000

interface UpgradeOptions extends InstanceOptions {
  program?: string
}

export function addUpgrade(program: Command, context: Context): void {
  instanceCommand(program, 'upgrade', 'replaces Outpost itself by the version of this command, at the same port')
    .option('--program <file>', 'dist/main.js of the version that takes over')
    .addHelpText(
      'after',
      '\nConnections wait meanwhile, none is refused. The old version comes back if the new one fails.',
    )
    .action(async (options: UpgradeOptions) => {
      const { output } = context
      const instance = await instanceOf(options, context)
      const { client } = instance
      const before = await client.status()
      const program = options.program ?? context.program
      const { from, to, pid } = await client.upgrade({ program, node: process.execPath })
      if (options.json !== true)
        output.print(`version ${to} stands by; version ${from} ends after the requests in flight`)
      const after = await successorOf(before.pid, instance)
      if (after.pid !== pid) {
        throw new Failure(exitCodes.failure, `version ${to} did not serve: version ${after.version} serves again`)
      }
      if (options.json === true) output.json({ from, to, pid })
      else output.print(output.paint('green', `Outpost ${to} serves ${urlOf(after)}`) + ` (pid ${pid})`)
    })
}

/** Waits for a program that serves and is not the one that ends. */
async function successorOf(pid: number, { dataDir }: FoundInstance): Promise<Status> {
  const deadline = performance.now() + TAKEOVER_MS
  while (performance.now() < deadline) {
    const status = await servingNow(dataDir)
    if (status !== undefined && status.pid !== pid) return status
    await sleep(LOOK_EVERY_MS)
  }
  throw new Failure(exitCodes.failure, 'no version has served within 5 minutes: see the log')
}

/** Undefined while none serves. */
async function servingNow(dataDir: string): Promise<Status | undefined> {
  try {
    const status = await (await clientOf(dataDir))?.status()
    return status?.state === 'serving' ? status : undefined
  } catch {
    return undefined // it is ending, or has failed
  }
}
