import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { NotRunningError } from '../control/call.js'
import { lockHolderIn } from '../control/lock-holder.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { BetweenError, clientOf, isStopping, type FoundInstance } from './find-instance.js'
import { goingOn } from './going-on.js'

const LOOK_EVERY_MS = 50

export function addStop(program: Command, context: Context): void {
  instanceCommand(program, 'stop', 'stops the instance after the requests in flight, and waits for its end').action(
    async (options: InstanceOptions) => {
      const { output } = context
      const pid = await goingOn(
        context,
        options,
        () => 'the stop goes on without this command',
        () => stopped(options, context),
      )
      if (options.json === true) output.json({ stopped: true, pid })
      else output.print(`Outpost (pid ${pid}) has stopped`)
    },
  )
}

/** Stops an instance and waits until another could start. SHUTDOWN_TIMEOUT_MS bounds it. @returns the pid of its primary */
async function stopped(options: InstanceOptions, context: Context): Promise<number> {
  try {
    return await stop(await instanceOf(options, context))
  } catch (error) {
    if (!(error instanceof BetweenError)) throw error
    return stopWithoutSocket(error)
  }
}

async function stop({ client, dataDir }: FoundInstance): Promise<number> {
  const holder = lockHolderIn(dataDir)
  try {
    const { pid } = await client.stop()
    await endOf(dataDir)
    return pid
  } catch (error) {
    // Something else has begun its stop since it was found.
    if (holder === undefined || !(error instanceof NotRunningError || isStopping(error))) throw error
    return stopWithoutSocket(new BetweenError(dataDir, holder))
  }
}

/** One that stops already ends by itself, and one that starts takes commands soon. */
async function stopWithoutSocket({ dataDir, pid }: BetweenError): Promise<number> {
  const waiting = new AbortController()
  const end = endOf(dataDir, waiting.signal).then(() => true)
  try {
    while (!(await Promise.race([end, sleep(LOOK_EVERY_MS, false)]))) {
      const client = await clientOf(dataDir)
      if (client !== undefined) return await stop({ client, dataDir })
    }
    return pid
  } finally {
    waiting.abort()
  }
}

/** Resolves when no primary holds the lock, which each has as long as it lives. */
async function endOf(dataDir: string, signal?: AbortSignal): Promise<void> {
  const options = { stdio: 'ignore' as const, ...(signal && { signal }) }
  await once(spawn('flock', ['--shared', join(dataDir, 'lock'), 'true'], options), 'exit')
}
