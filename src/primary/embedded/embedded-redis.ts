import fs from 'node:fs'
import net from 'node:net'
import { programPath } from '../../config/program-path.js'
import { spawnGuarded } from '../host/lifeline.js'
import { ManagedServer, probeFailure, type ManagedServerOptions, type ProbeResult } from './managed-server.js'

/** There is no redis-server on this machine. */
class RedisMissingError extends Error {
  constructor() {
    super('redis-server was not found: type "apt-get install redis-server" (or "dnf install redis"), or set REDIS_URL')
    this.name = 'RedisMissingError'
  }
}

export interface EmbeddedRedisOptions extends Pick<ManagedServerOptions, 'stopTimeoutMs' | 'log'> {
  /** The folder of its append-only file. */
  directory: string
  /** The unix socket that Redis listens on. */
  socketPath: string
  /** Undefined: it has no port, and only this user can reach it. */
  login?: RedisLogin
  /** Path of the named pipe whose end stops it. */
  lifeline: string
}

/** The address for programs that need a URL. */
export interface RedisLogin {
  /** On 127.0.0.1. */
  port: number
  password: string
  /** Where the password is written for Redis: everybody can read the arguments of a process. */
  file: string
}

const PROBE_TIMEOUT_MS = 1_000

/**
 * A private redis-server.
 * @throws {RedisMissingError}
 */
export function embeddedRedis({
  directory,
  socketPath,
  login,
  lifeline,
  ...options
}: EmbeddedRedisOptions): ManagedServer {
  if (programPath('redis-server') === undefined) throw new RedisMissingError()
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  // One fsync per write: an acknowledged write is on the disk, even if Redis is killed right after it.
  const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  const port = login === undefined ? ['--port', '0'] : ['--port', String(login.port), '--bind', '127.0.0.1']
  if (login !== undefined) fs.writeFileSync(login.file, `requirepass ${login.password}\n`, { mode: 0o600 })
  const settings = login === undefined ? [] : [login.file]
  const listen = [...port, '--unixsocket', socketPath, '--unixsocketperm', '700']
  const rest = ['--dir', directory, '--daemonize', 'no', '--loglevel', 'notice']
  return new ManagedServer({
    ...options,
    name: 'redis',
    command: () => spawnGuarded(lifeline, ['redis-server', ...settings, ...listen, ...persistence, ...rest]),
    probe: () => ping(socketPath, login?.password),
  })
}

function ping(socketPath: string, password: string | undefined): Promise<ProbeResult> {
  const command = password === undefined ? 'PING\r\n' : `AUTH ${password}\r\nPING\r\n`
  return new Promise(resolve => {
    let answers = ''
    const socket = net.connect(socketPath, () => socket.write(command))
    const done = (result: ProbeResult): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(result)
    }
    const late = setTimeout(() => done('silent'), PROBE_TIMEOUT_MS)
    socket.on('data', data => {
      answers += data.toString()
      if (answers.includes('+PONG')) done('serves')
      else if (/^-/m.test(answers)) done('busy')
    })
    socket.once('error', error => done(probeFailure(error)))
    socket.once('close', () => done('silent'))
  })
}
