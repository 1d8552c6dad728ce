import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { spawnGuarded } from '../host/lifeline.js'
import { ManagedServer, probeFailure, type ManagedServerOptions, type ProbeResult } from './managed-server.js'

/** There is no redis-server on this machine. */
export class RedisMissingError extends Error {
  constructor() {
    super('redis-server was not found: type "apt-get install redis-server" (or "dnf install redis"), or set REDIS_URL')
    this.name = 'RedisMissingError'
  }
}

export interface EmbeddedRedisOptions extends Pick<ManagedServerOptions, 'stopTimeoutMs' | 'log'> {
  /** The folder of its append-only file. */
  directory: string
  /** The unix socket that Redis listens on. It has no port. */
  socketPath: string
  /** Path of the named pipe whose end stops it. */
  lifeline: string
}

const PROBE_TIMEOUT_MS = 1_000

/**
 * A private redis-server.
 * @throws {RedisMissingError}
 */
export function embeddedRedis({ directory, socketPath, lifeline, ...options }: EmbeddedRedisOptions): ManagedServer {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error !== undefined) throw new RedisMissingError()
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  // One fsync per write: an acknowledged write is on the disk, even if Redis is killed right after it.
  const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const listen = ['--port', '0', '--unixsocket', socketPath, '--unixsocketperm', '700']
  const rest = ['--dir', directory, '--daemonize', 'no', '--loglevel', 'notice']
  return new ManagedServer({
    ...options,
    name: 'redis',
    command: () => spawnGuarded(lifeline, ['redis-server', ...listen, ...persistence, ...rest]),
    probe: () => ping(socketPath),
  })
}

function ping(socketPath: string): Promise<ProbeResult> {
  return new Promise(resolve => {
    const socket = net.connect(socketPath, () => socket.write('PING\r\n'))
    const done = (result: ProbeResult): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(result)
    }
    const late = setTimeout(() => done('silent'), PROBE_TIMEOUT_MS)
    socket.once('data', answer => done(answer.toString().startsWith('+PONG') ? 'serves' : 'busy'))
    socket.once('error', error => done(probeFailure(error)))
    socket.once('close', () => done('silent'))
  })
}
