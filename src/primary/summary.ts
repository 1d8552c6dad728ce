import { commandNotFollowed } from '../config/app-module.js'
import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import type { EmbeddedServers } from './embedded/embedded-servers.js'
import type { PublicPort } from './host/public-port.js'
import type { Supervisor } from './supervisor.js'

const NOT_FOLLOWED =
  'start command is not followed: it is not plain "node FILE ARGS" (give flags in NODE_OPTIONS and variables in the environment)'

export interface SummaryFacts {
  config: Config
  /** How many workers are wanted now. */
  workers: number
  /** The address that the public port is bound to. */
  host: string
  port: number
  /** The embedded Redis, as shown to people; undefined for that of REDIS_URL. */
  redis: string | undefined
  /** The place of the objects, as shown to people. */
  storage: string
  startedInMs: number
}

interface Announced {
  config: Config
  supervisor: Pick<Supervisor, 'wanted'>
  embedded: Pick<EmbeddedServers, 'redisName' | 'storageName'>
  publicPort: Pick<PublicPort, 'host' | 'port'>
  /** In seconds of the uptime of this process. */
  begunAt: number
  print: (text: string) => void
  log: Pick<Logger, 'warn'>
}

/** Shows once that requests are served, with what the person should know of this start. */
export function announce({ config, supervisor, embedded, publicPort, begunAt, print, log }: Announced): void {
  const { host, port } = publicPort
  const { workers, balancers } = supervisor.wanted
  const { redisName: redis, storageName: storage } = embedded
  const startedInMs = (process.uptime() - begunAt) * 1_000
  print(summaryOf({ config: { ...config, balancers }, workers, host, port, redis, storage, startedInMs }))
  const command = config.app === undefined ? undefined : commandNotFollowed(config.app)
  if (command !== undefined) log.warn({ command }, NOT_FOLLOWED)
  if (config.runAs === undefined && process.getuid?.() === 0) {
    log.warn('instance runs as root, and so does the app: set RUN_AS to another user')
  }
}

/** The text that the console shows once a request can be served. */
export function summaryOf({ config, workers, host: bound, port, redis, storage, startedInMs }: SummaryFacts): string {
  const host = ['0.0.0.0', '::'].includes(bound) ? 'localhost' : bound
  const rows = [
    ['public', `http://${host.includes(':') ? `[${host}]` : host}:${port}`],
    ['app', config.app ?? 'built-in'],
    ['workers', workersOf(workers, config.workers)],
    [
      'balancers',
      config.balancers === 0 ? 'none (mesh: every worker balances)' : `${config.balancers} (${config.balance})`,
    ],
    ['redis', redis ?? withoutPassword(config.redisUrl ?? '')],
    ['storage', storage],
    ['data', config.dataDir],
  ]
  const lines = rows.map(([name, value]) => `  ${(name ?? '').padEnd(10)} ${value ?? ''}`)
  const note = notes(config).map(line => `  note       ${line}`)
  return [`Outpost is ready (pid ${process.pid}, ${Math.round(startedInMs)} ms)`, ...lines, ...note, ''].join('\n')
}

function workersOf(wanted: number, { min, max }: Config['workers']): string {
  return min === max ? String(wanted) : `${wanted} (${min} to ${max}, by load)`
}

function notes(config: Config): string[] {
  if (config.redisUrl === undefined) return []
  const secret = 'machines that share this Redis must be given the same SESSION_SECRET: this one made its own'
  const storage = 'machines that share this Redis must be given the same S3_ENDPOINT: this one runs a store of its own'
  return [
    ...(config.sessionSecret === undefined ? [secret] : []),
    ...(config.app === undefined && config.s3.endpoint === undefined ? [storage] : []),
  ]
}

function withoutPassword(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
