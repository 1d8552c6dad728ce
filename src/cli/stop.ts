import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Command } from 'commander'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import type { FoundInstance } from './find-instance.js'

export function addStop(program: Command, context: Context): void {
  instanceCommand(program, 'stop', 'stops the instance after the requests in flight, and waits for its end').action(
    async (options: InstanceOptions) => {
      const { output } = context
      const instance = await instanceOf(options, context)
      const { pid } = await stop(instance)
      if (options.json === true) output.json({ stopped: true, pid })
      else output.print(`Outpost (pid ${pid}) has stopped`)
    },
  )
}

/** Stops an instance and waits until another could start. SHUTDOWN_TIMEOUT_MS bounds it. */
async function stop({ client, dataDir }: FoundInstance): Promise<{ pid: number }> {
  const stopping = await client.stop()
  // The primary holds the lock as long as it lives.
  const waiting = spawn('flock', ['--shared', join(dataDir, 'lock'), 'true'], { stdio: 'ignore' })
  await once(waiting, 'exit')
  return stopping
}
