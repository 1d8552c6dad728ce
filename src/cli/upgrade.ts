import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import { presentClientOf } from './find-instance.js'
import { goingOn } from './going-on.js'
import { secondsOf } from './option-values.js'
import { urlOf } from './status.js'
import type { ControlClient } from '../control/client.js'
import type { Status, Upgrading } from '../control/protocol.js'

const LOOK_EVERY_MS = 50
/** The stop of the old version, the start of the new one, and in the worst case that of the old one again. */
const TAKEOVER_MS = 10 * 60_000

interface UpgradeOptions extends InstanceOptions {
  program?: string
  within?: number
}

export function addUpgrade(program: Command, context: Context): void {
  instanceCommand(program, 'upgrade', 'replaces Outpost itself by the version of this command, at the same port')
    .option('--program <file>', 'dist/main.js of the version that takes over')
    .option('--within <seconds>', 'how long requests in flight may take, in place of SHUTDOWN_TIMEOUT_MS', secondsOf)
    .addHelpText(
      'after',
      '\nConnections wait meanwhile; none is refused. If the new version fails, the old one serves again.',
    )
    .action(async (options: UpgradeOptions) => {
      const { output } = context
      const { client, dataDir } = await instanceOf(options, context)
      const before = await client.status()
      const program = resolve(options.program ?? context.program)
      const { within } = options
      const upgrading = await client.upgrade({
        program,
        node: process.execPath,
        ...(within !== undefined && { within }),
      })
      const { from, to, pid } = upgrading
      if (options.json !== true)
        output.print(`version ${to} stands by; version ${from} ends after the requests in flight`)
      const after = await goingOn(
        context,
        options,
        () => 'the upgrade goes on without this command: outpost status shows it',
        () => successorOf(upgrading, before.pid, dataDir),
      )
      if (options.json === true) output.json({ from, to, pid })
      else output.print(output.paint('green', `Outpost ${to} serves ${urlOf(after)}`) + ` (pid ${pid})`)
    })
}

/** Waits for a program that serves and is not the one that ends. @throws {Failure} none does, or not the one that was to */
async function successorOf({ to, pid, launcher }: Upgrading, before: number, dataDir: string): Promise<Status> {
  const deadline = performance.now() + TAKEOVER_MS
  while (performance.now() < deadline) {
    const isThere = isRunning(launcher)
    const client = await presentClientOf(dataDir).catch(() => undefined)
    const status = await client?.status().catch(() => undefined)
    if (status?.pid === pid && status.state === 'serving') return status
    if (!isThere)
      throw new Failure(exitCodes.failure, `the instance has ended before version ${to} served: see the log`)
    if (client !== undefined && status !== undefined && status.pid !== before && status.pid !== pid) {
      throw new Failure(exitCodes.failure, `version ${to} did not serve: ${await comeback(client, status)}`)
    }
    await sleep(LOOK_EVERY_MS)
  }
  throw new Failure(exitCodes.failure, 'no version has served within 10 minutes: see the log')
}

/** Tells whether the previous version serves again. */
function comeback(client: ControlClient, { version }: Status): Promise<string> {
  return client.serving().then(
    () => `version ${version} serves again, and its log says why`,
    (error: unknown) => `version ${version} is back, and does not serve either: ${(error as Error).message}`,
  )
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
