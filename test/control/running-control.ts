import { join } from 'node:path'
import type { Status } from '#src/control/protocol.js'
import { ControlServer, type Commands } from '#src/control/server.js'
import { temporaryFolder, type Harness } from '../helpers/harness.js'

export const aStatus: Status = {
  pid: 7,
  host: '127.0.0.1',
  port: 3000,
  processes: [
    {
      role: 'worker',
      id: '1',
      release: 'live',
      generation: 0,
      place: 0,
      pid: 8,
      state: 'ready',
      servedMs: 9,
      loopDelayMs: 0.5,
      rssBytes: 10,
    },
  ],
}

export interface RunningControl {
  server: ControlServer
  socketPath: string
  dataDir: string
  /** The commands that were carried out, in their order. */
  carriedOut: string[]
}

/** A control server over the commands of a test; those not given do nothing. */
export async function startControl(t: Harness, commands: Partial<Commands> = {}): Promise<RunningControl> {
  const dataDir = temporaryFolder(t)
  const socketPath = join(dataDir, 'control.sock')
  const carriedOut: string[] = []
  const server = new ControlServer(socketPath, {
    status: () => {
      carriedOut.push('status')
      return commands.status?.() ?? aStatus
    },
    reload: async onProgress => {
      carriedOut.push('reload')
      return (await commands.reload?.(onProgress)) ?? { replaced: 2 }
    },
    scale: wanted => {
      carriedOut.push(`scale ${JSON.stringify(wanted)}`)
      return commands.scale?.(wanted) ?? { workers: wanted.workers ?? 2, balancers: wanted.balancers ?? 1 }
    },
    stop: () => {
      carriedOut.push('stop')
      commands.stop?.()
    },
  })
  await server.start()
  t.teardown(() => server.stop())
  return { server, socketPath, dataDir, carriedOut }
}

/** The error of a worker that did not become ready, as a supervisor throws it. */
export function workerFailed(): Error {
  return Object.assign(new Error('the new worker 3 did not become ready'), { lastLines: ['boom'] })
}
