import { accessSync, constants, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { availableParallelism, homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { logLevels } from '../process/log.js'

/** One variable that cannot be used. */
export interface ConfigFault {
  name: string
  /** As given; of a secret only its length. */
  value: string
  accepted: string
}

/** Every fault of the environment in one message. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly ConfigFault[]) {
    const lines = faults.map(({ name, value, accepted }) => `  ${name}=${value}: accepted is ${accepted}`)
    super(`the environment cannot be used:\n${lines.join('\n')}`)
    this.name = 'ConfigError'
  }
}

const MIN_SECRET_IN_PRODUCTION = 32

/** 10,000 parts, which is S3's limit, of 5 MiB each. */
const MAX_UPLOAD_BYTES = 10_000 * 5 * 1024 ** 2

function wholeNumber(min: number, max: number, unit = ''): z.ZodType<number> {
  const accepted = `a whole number from ${min} to ${max}${unit && ` ${unit}`}`
  return (
    z
      .string()
      .regex(/^\d{1,15}$/, accepted)
      .transform(Number)
      // A union has words of its own only when all its members have given up.
      .refine(value => value >= min && value <= max, { error: accepted, abort: true })
  )
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T): z.ZodType<T[number]> {
  return z.enum(values, { error: `one of ${values.join(', ')}` })
}

const milliseconds = wholeNumber(1, 86_400_000, 'milliseconds')

/** Stricter than the client, which takes these parts as they come and fails at each connection. */
const redisUrl = z.string().refine(value => {
  try {
    const { hostname, pathname, searchParams, username, password } = new URL(value)
    for (const part of [username, password]) decodeURIComponent(part)
    // The client knows TLS by these very letters.
    const hasScheme = /^rediss?:\/\//.test(value)
    const hasDatabase = /^\/?\d*$/.test(pathname) && searchParams.getAll('db').every(db => /^\d+$/.test(db))
    return hasScheme && hostname !== '' && hasDatabase
  } catch {
    return false
  }
}, 'a URL like redis://[user:password@]host[:port][/number of the database] or rediss://…, with %25 for a "%"')

const httpUrl = z.string().refine(value => {
  try {
    const { protocol, username, password, pathname, search } = new URL(value)
    return ['http:', 'https:'].includes(protocol) && username + password === '' && pathname === '/' && search === ''
  } catch {
    return false
  }
}, 'a URL like http://host[:port] or https://host[:port], without keys or a path')

const readableFile = z
  .string()
  .transform(path => resolve(path))
  .refine(path => {
    try {
      accessSync(path, constants.R_OK)
      return statSync(path).isFile()
    } catch {
      return false
    }
  }, 'the path of a module that can be read')

const SIZE_UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

const byteSize = z
  .string()
  .regex(/^\d{1,12}[KMG]?$/i, 'a number of bytes, or one with K, M or G, e.g. 512M')
  .transform(text => Number.parseInt(text, 10) * (SIZE_UNITS[text.replace(/\d/g, '').toUpperCase()] ?? 1))

const flag = z.enum(['0', '1'], { error: '0 or 1' }).transform(value => value === '1')

/** What ends in a number is meant as an address, and is none. */
const HOST_NAME = /^(?!.*\.\d+\.?$)[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_.])?$/i

/** Whether it is a folder that can be written to, or can be made in the nearest one that there is. */
function canBeFolder(path: string): boolean {
  try {
    const isFolder = statSync(path).isDirectory()
    accessSync(path, constants.W_OK | constants.X_OK)
    return isFolder
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' && dirname(path) !== path && canBeFolder(dirname(path))
  }
}

/** The environment as docs/config.md has it. The only place where a default stands. */
const schema = z.object({
  PORT: wholeNumber(0, 65_535).default(3000),
  HOST: z
    .string()
    .refine(host => isIP(host) !== 0 || HOST_NAME.test(host), 'an IP address or a host name')
    .default('0.0.0.0'),
  WORKERS: z
    .union([z.literal('auto').transform(() => availableParallelism()), wholeNumber(1, 1_024)], {
      error: '"auto" (one a core) or a whole number from 1 to 1024',
    })
    .default(availableParallelism()),
  BALANCERS: wholeNumber(0, 64).default(1),
  BALANCE: oneOf(['round-robin', 'least-busy']).default('round-robin'),
  APP: readableFile.optional(),
  REDIS_URL: redisUrl.optional(),
  S3_ENDPOINT: httpUrl.optional(),
  S3_ACCESS_KEY: z.string().optional(),
  S3_SECRET_KEY: z.string().optional(),
  S3_BUCKET: z
    .string()
    // What looks like an address is refused by S3, and by its clients, at the first call.
    .regex(
      /^(?!.*\.\.)(?!.*\d+\.\d+\.\d+\.\d)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
      'a bucket name: 3 to 63 of a-z, 0-9, "-" and ".", no two dots together, and no IP address',
    )
    .default('outpost'),
  S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/i, 'a region like us-east-1')
    .default('us-east-1'),
  UPLOAD_MAX_BYTES: wholeNumber(1, MAX_UPLOAD_BYTES, 'bytes').default(1024 ** 3),
  XDG_CACHE_HOME: z.string().default(join(homedir(), '.cache')),
  DATA_DIR: z
    .string()
    .default('./.outpost')
    .transform(path => resolve(path))
    .refine(canBeFolder, 'a folder that this user can make and write to'),
  SESSION_SECRET: z.string().optional(),
  RATE_LIMIT_MAX: wholeNumber(0, 1_000_000_000).default(100),
  RATE_LIMIT_WINDOW_MS: wholeNumber(1_000, 86_400_000, 'milliseconds').default(900_000),
  TRUST_PROXY: wholeNumber(0, 32).default(0),
  SHUTDOWN_TIMEOUT_MS: milliseconds.default(30_000),
  DRAIN_TIMEOUT_MS: milliseconds.default(300_000),
  UPSTREAM_TIMEOUT_MS: milliseconds.default(30_000),
  MAX_IN_FLIGHT: wholeNumber(1, 1_000_000).default(256),
  MAX_SOCKETS: wholeNumber(1, 1_000_000).default(20_000),
  MAX_WEBSOCKETS_PER_CLIENT: wholeNumber(1, 1_000_000).default(4_000),
  WORKER_MAX_MEMORY: byteSize.default(0),
  HEALTH_PATH: z
    .string()
    .regex(/^\/[!-~]*$/, 'a path that begins with "/"')
    .default('/health'),
  EXPOSE_WORKER: flag.default(false),
  NODE_ENV: z.string().default(''),
  LOG_LEVEL: oneOf(logLevels).default('info'),
})

export type Config = Readonly<ReturnType<typeof readConfig>>

/**
 * Reads the environment once. An empty variable counts as unset.
 * @throws {ConfigError} with every fault there is
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = schema.safeParse(given)
  const faults = [
    ...(parsed.success ? [] : faultsOf(parsed.error, given)),
    ...weakSecret(given),
    ...missingS3Keys(given),
  ]
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults)
  const values = parsed.data
  return Object.freeze({
    port: values.PORT,
    host: values.HOST,
    workers: values.WORKERS,
    balancers: values.BALANCERS,
    balance: values.BALANCE,
    app: values.APP,
    redisUrl: values.REDIS_URL,
    s3: Object.freeze({
      /** Undefined: the embedded store, or a minio that is found. */
      endpoint: values.S3_ENDPOINT === undefined ? undefined : new URL(values.S3_ENDPOINT).origin,
      accessKey: values.S3_ACCESS_KEY,
      secretKey: values.S3_SECRET_KEY,
      bucket: values.S3_BUCKET,
      region: values.S3_REGION,
    }),
    uploadMaxBytes: values.UPLOAD_MAX_BYTES,
    cacheDir: values.XDG_CACHE_HOME,
    dataDir: values.DATA_DIR,
    sessionSecret: values.SESSION_SECRET,
    rateLimitMax: values.RATE_LIMIT_MAX,
    rateLimitWindowMs: values.RATE_LIMIT_WINDOW_MS,
    trustProxy: values.TRUST_PROXY,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    drainTimeoutMs: values.DRAIN_TIMEOUT_MS,
    upstreamTimeoutMs: values.UPSTREAM_TIMEOUT_MS,
    maxInFlight: values.MAX_IN_FLIGHT,
    maxSockets: values.MAX_SOCKETS,
    maxWebSocketsPerClient: values.MAX_WEBSOCKETS_PER_CLIENT,
    workerMaxMemory: values.WORKER_MAX_MEMORY,
    healthPath: values.HEALTH_PATH,
    exposeWorker: values.EXPOSE_WORKER,
    production: values.NODE_ENV === 'production',
    logLevel: values.LOG_LEVEL,
  })
}

function weakSecret({ NODE_ENV, SESSION_SECRET }: NodeJS.ProcessEnv): ConfigFault[] {
  if (NODE_ENV !== 'production' || SESSION_SECRET === undefined) return []
  if (SESSION_SECRET.length >= MIN_SECRET_IN_PRODUCTION) return []
  const accepted = `at least ${MIN_SECRET_IN_PRODUCTION} characters in production, or unset`
  return [{ name: 'SESSION_SECRET', value: shown('SESSION_SECRET', SESSION_SECRET), accepted }]
}

/** Without an endpoint they would say nothing, and with one nothing works without them. */
function missingS3Keys(env: NodeJS.ProcessEnv): ConfigFault[] {
  if (env['S3_ENDPOINT'] === undefined) return []
  const missing = ['S3_ACCESS_KEY', 'S3_SECRET_KEY'].filter(name => env[name] === undefined)
  return missing.map(name => ({ name, value: '', accepted: 'the key that S3_ENDPOINT asks for: it is set, too' }))
}

const SECRETS = new Set(['SESSION_SECRET', 'REDIS_URL', 'S3_SECRET_KEY'])

function faultsOf(error: z.ZodError, env: NodeJS.ProcessEnv): ConfigFault[] {
  const byName = new Map<string, ConfigFault>()
  for (const { path, message } of error.issues) {
    const name = String(path[0])
    if (!byName.has(name)) byName.set(name, { name, value: shown(name, env[name] ?? ''), accepted: message })
  }
  return [...byName.values()]
}

function shown(name: string, value: string): string {
  if (SECRETS.has(name)) return `(${value.length} characters)`
  // Some write their keys into it, which is one of its faults.
  return name === 'S3_ENDPOINT' ? value.replace(/^.*@/s, '…@') : value
}
