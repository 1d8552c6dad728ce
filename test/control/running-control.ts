import { join } from 'node:path'
import type { Status } from '#src/control/protocol.js'
import { socketDoor, type Door } from '#src/control/door.js'
import type { Commands } from '#src/control/commands.js'
import { ControlServer } from '#src/control/server.js'
import { noVitals } from '#src/ipc/vitals.js'
import { temporaryFolder, type Harness } from '../helpers/harness.js'

export const aStatus: Status = {
  pid: 7,
  version: '0.1.0',
  state: 'serving',
  ageMs: 11,
  dataDir: '/srv/shop/.outpost',
  host: '127.0.0.1',
  port: 3000,
  wanted: { workers: 1, balancers: 1 },
  processes: [
    {
      role: 'worker',
      id: '1',
      release: 'live',
      generation: 0,
      place: 0,
      pid: 8,
      state: 'ready',
      ageMs: 10,
      servedMs: 9,
      restarts: 0,
      ...noVitals,
      loopDelayMs: 0.5,
      loopUse: 0.25,
      cpuUse: 0.5,
      rssBytes: 10,
      inFlight: 3,
      streaming: 1,
      upgraded: 1,
      requests: 100,
      requestsPerSecond: 50,
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
export async function startControl(t: Harness, commands: Partial<Commands> = {}, door?: Door): Promise<RunningControl> {
  const dataDir = temporaryFolder(t)
  const socketPath = join(dataDir, 'control.sock')
  const carriedOut: string[] = []
  const server = new ControlServer(door ?? socketDoor(socketPath), {
    status: () => {
      carriedOut.push('status')
      return commands.status?.() ?? aStatus
    },
    serving: async () => {
      carriedOut.push('serving')
      await commands.serving?.()
    },
    log: commands.log ?? { read: () => ({ lines: [], stop: () => undefined }) },
    reload: async onProgress => {
      carriedOut.push('reload')
      return (await commands.reload?.(onProgress)) ?? { replaced: 2 }
    },
    scale: wanted => {
      carriedOut.push(`scale ${JSON.stringify(wanted)}`)
      return commands.scale?.(wanted) ?? { workers: wanted.workers ?? 2, balancers: wanted.balancers ?? 1 }
    },
    upgrade: async wanted => {
      carriedOut.push(`upgrade ${JSON.stringify(wanted)}`)
      const upgrading = { from: '0.1.0', to: '0.2.0', pid: 2, launcher: 1 }
      return (await commands.upgrade?.(wanted)) ?? { upgrading, handOver: () => carriedOut.push('hand over') }
    },
    releases: () => commands.releases?.() ?? [],
    deploy: async (archive, query, onProgress) => {
      carriedOut.push(`deploy ${query.source}`)
      return (await commands.deploy?.(archive, query, onProgress)) ?? { release: 'r1' }
    },
    environment: () => commands.environment?.() ?? {},
    setEnvironment: async (change, onProgress) => {
      carriedOut.push('set environment')
      return (await commands.setEnvironment?.(change, onProgress)) ?? { release: 'r1' }
    },
    runPlace: () => commands.runPlace?.() ?? { cwd: '/', env: {} },
    activate: async (release, stages, onProgress) => {
      carriedOut.push(`activate ${release}`)
      return (await commands.activate?.(release, stages, onProgress)) ?? { release }
    },
    rollback: async (release, onProgress) => {
      carriedOut.push(`rollback ${release ?? ''}`)
      return (await commands.rollback?.(release, onProgress)) ?? { release: 'r1' }
    },
    pause: async pause => {
      carriedOut.push(`pause ${JSON.stringify(pause)}`)
      return (await commands.pause?.(pause)) ?? { since: '2026-01-01T00:00:00.000Z', until: '2026-01-01T00:00:30.000Z' }
    },
    resume: async () => {
      carriedOut.push('resume')
      return (await commands.resume?.()) ?? { pausedMs: 1 }
    },
    maintain: async wanted => {
      carriedOut.push(`maintain ${String(wanted.on)}`)
      return (await commands.maintain?.(wanted)) ?? { on: wanted.on }
    },
    tokens: commands.tokens ?? { list: () => [], create: () => ({ id: '1', token: 'x' }), revoke: () => undefined },
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
