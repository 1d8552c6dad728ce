import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { findAppModule, packageIn, type PackageJson } from './app-module.js'
import type { Config } from './config.js'

/** A server that Outpost runs if it is used and no other one is configured. */
export type Embeddable = 'redis' | 'storage'

export const embeddables = ['redis', 'storage'] as const satisfies readonly Embeddable[]

type Embedding = Pick<Config, 'app' | 'embed' | 'redisUrl'> & { s3: Pick<Config['s3'], 'endpoint'> }

/** Packages by which an app speaks to such a server. */
const CLIENTS: Record<Embeddable, ReadonlySet<string>> = {
  redis: new Set([
    'redis',
    '@redis/client',
    'ioredis',
    'connect-redis',
    'rate-limit-redis',
    'bull',
    'bullmq',
    'bee-queue',
    '@keyv/redis',
    '@socket.io/redis-adapter',
    '@socket.io/redis-streams-adapter',
  ]),
  storage: new Set(['minio', '@aws-sdk/client-s3', '@aws-sdk/lib-storage', 'aws-sdk', 'multer-s3']),
}

/** Whether a server of somebody else's is named. */
export function isElsewhere({ redisUrl, s3 }: Embedding, service: Embeddable): boolean {
  return (service === 'redis' ? redisUrl : s3.endpoint) !== undefined
}

/** Whether Outpost may run the server: no other one is configured, and EMBED allows it. */
export function mayEmbed(config: Embedding, service: Embeddable): boolean {
  const { embed } = config
  return !isElsewhere(config, service) && (embed === 'auto' || embed === 'all' || embed === service)
}

/**
 * Whether the server is started before the app: for the built-in app, for one whose package.json names a client, and
 * where EMBED asks for it. Else it is started when the app uses what it is lent.
 * @param env where the person may have named a server of the app's own
 */
export function embedsAtStart(config: Embedding, service: Embeddable, env: NodeJS.ProcessEnv = process.env): boolean {
  if (!mayEmbed(config, service)) return false
  if (config.embed !== 'auto' || config.app === undefined) return true
  return !hasServerOfItsOwn(service, env) && namesClient(config.app, service)
}

/** Whether the person has named a server for the app, in whatever form. */
export function hasServerOfItsOwn(service: Embeddable, env: NodeJS.ProcessEnv = process.env): boolean {
  const names = service === 'redis' ? ['REDIS_URL'] : ['S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY']
  return names.some(name => (env[name] ?? '') !== '')
}

function namesClient(app: string, service: Embeddable): boolean {
  const file = findAppModule(app)?.file
  const { dependencies, optionalDependencies } = file === undefined ? {} : packageAbove(realpathSync(file))
  const names = Object.keys({ ...dependencies, ...optionalDependencies })
  return names.some(name => CLIENTS[service].has(name))
}

/** The nearest package.json, as Node finds it. */
function packageAbove(path: string): PackageJson {
  const folder = dirname(path)
  return folder === path ? {} : (packageIn(folder) ?? packageAbove(folder))
}
