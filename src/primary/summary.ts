import type { Config } from '../config/config.js'

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
