import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { ConfigError, configFor, readConfig } from '#src/config/config.js'
import { coresAllowed } from '#src/resources/control-group.js'
import { temporaryFolder } from '../helpers/harness.js'

function faultsOf(env: NodeJS.ProcessEnv): ConfigError['faults'] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

void t.test('every variable may be left out', t => {
  t.match(readConfig({}), {
    port: 3_000,
    host: undefined,
    workers: { min: coresAllowed(), max: coresAllowed() },
    balancers: 1,
    balance: 'round-robin',
    app: undefined,
    redisUrl: undefined,
    s3: { endpoint: undefined, accessKey: undefined, secretKey: undefined, bucket: 'outpost', region: 'us-east-1' },
    uploadMaxBytes: 1024 ** 3,
    dataDir: resolve('.outpost'),
    rateLimitMax: 100,
    rateLimitWindowMs: 900_000,
    trustProxy: 0,
    shutdownTimeoutMs: 30_000,
    drainTimeoutMs: 300_000,
    upstreamTimeoutMs: 30_000,
    minBytesPerSecond: 256,
    maxInFlight: 256,
    maxHeaderBytes: 16_384,
    sticky: 'off',
    maxSockets: 20_000,
    maxWebSocketsPerClient: 4_000,
    chatSignIn: false,
    workerMaxMemory: 0,
    healthPath: '/health',
    exposeWorker: false,
    production: false,
    logLevel: 'info',
  })
  t.ok(Object.isFrozen(readConfig({})))
  t.end()
})

void t.test('an empty variable counts as unset', t => {
  t.strictSame(readConfig({ PORT: '', WORKERS: '', APP: '', REDIS_URL: '', SESSION_SECRET: '' }), readConfig({}))
  t.end()
})

void t.test('a usable value is used', t => {
  const app = join(temporaryFolder(t), 'app.js')
  writeFileSync(app, '')
  const env = {
    PORT: '0',
    WORKERS: '7',
    BALANCERS: '0',
    BALANCE: 'least-busy',
    APP: app,
    REDIS_URL: 'rediss://user:pass@redis.example:6380/2',
    EXPOSE_WORKER: '1',
    NODE_ENV: 'production',
    SESSION_SECRET: 's'.repeat(32),
    WORKER_MAX_MEMORY: '512M',
  }
  t.match(readConfig(env), {
    port: 0,
    workers: { min: 7, max: 7 },
    balancers: 0,
    balance: 'least-busy',
    app,
    redisUrl: env.REDIS_URL,
    exposeWorker: true,
    production: true,
    sessionSecret: env.SESSION_SECRET,
    workerMaxMemory: 512 * 1024 * 1024,
  })
  t.strictSame(readConfig({ WORKERS: 'auto' }).workers, { min: coresAllowed(), max: coresAllowed() })
  t.equal(readConfig({ BALANCERS: 'auto' }).balancers, Math.max(1, Math.floor(coresAllowed() / 4)))
  t.strictSame(readConfig({ WORKERS: '2-8' }).workers, { min: 2, max: 8 })
  t.strictSame(readConfig({ WORKERS: '4-4' }).workers, { min: 4, max: 4 })
  t.end()
})

void t.test('a size is a number of bytes, or of KiB, MiB, GiB or TiB', t => {
  const sizes = { 0: 0, 5000: 5000, '2k': 2 ** 11, '3M': 3 * 2 ** 20, '10G': 10 * 2 ** 30, '1T': 2 ** 40 }
  for (const [text, bytes] of Object.entries({ ...sizes, 1099511627776: 2 ** 40 })) {
    t.equal(readConfig({ UPLOAD_QUOTA_BYTES: text }).uploadQuotaBytes, bytes, text)
  }
  t.end()
})

void t.test('a Redis has a host, and may have a port, a database, a user and a password', t => {
  const urls = [
    'redis://redis',
    'redis://redis/',
    'redis://[::1]:6379/15',
    'rediss://:p%25%40@redis.example',
    'redis://10.0.0.1?db=2',
  ]
  for (const url of urls) t.equal(readConfig({ REDIS_URL: url }).redisUrl, url)
  t.end()
})

void t.test('an external object storage has an endpoint, keys, a bucket and a region', t => {
  const env = {
    S3_ENDPOINT: 'https://s3.example:9000/',
    S3_ACCESS_KEY: 'access',
    S3_SECRET_KEY: 'secret',
    S3_BUCKET: 'my-bucket.2',
    S3_REGION: 'eu-central-1',
  }
  t.strictSame(readConfig(env).s3, {
    endpoint: 'https://s3.example:9000',
    accessKey: 'access',
    secretKey: 'secret',
    bucket: 'my-bucket.2',
    region: 'eu-central-1',
  })
  t.equal(readConfig({ ...env, S3_ENDPOINT: 'http://[::1]:9000' }).s3.endpoint, 'http://[::1]:9000')
  t.end()
})

void t.test('an endpoint without keys is a fault for each key that is missing', t => {
  const endpoint = { S3_ENDPOINT: 'http://127.0.0.1:9000' }
  const named = (env: NodeJS.ProcessEnv): string[] => faultsOf(env).map(({ name }) => name)
  t.strictSame(named(endpoint), ['S3_ACCESS_KEY', 'S3_SECRET_KEY'])
  t.strictSame(named({ ...endpoint, S3_ACCESS_KEY: 'access' }), ['S3_SECRET_KEY'])
  t.strictSame(named({ ...endpoint, S3_SECRET_KEY: 'secret' }), ['S3_ACCESS_KEY'])
  t.strictSame(named({ ...endpoint, S3_ACCESS_KEY: 'access', S3_SECRET_KEY: '' }), ['S3_SECRET_KEY'])
  t.strictSame(named({ S3_ENDPOINT: 'nowhere' }), ['S3_ENDPOINT', 'S3_ACCESS_KEY', 'S3_SECRET_KEY'])
  t.end()
})

const unusable: Array<[name: string, value: string]> = [
  ['PORT', 'abc'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '3000.5'],
  ['PORT', '0x50'],
  ['PORT', ' 80'],
  ['WORKERS', '-1'],
  ['WORKERS', 'x'],
  ['WORKERS', '0'],
  ['WORKERS', '1025'],
  ['WORKERS', '8-2'],
  ['WORKERS', '2-'],
  ['WORKERS', '2-4-8'],
  ['WORKERS', '2-1025'],
  ['WORKERS', '2-auto'],
  ['BALANCERS', 'many'],
  ['BALANCE', 'fair'],
  ['BALANCE', 'ROUND-ROBIN'],
  ['APP', '/no/such/app.js'],
  ['APP', 'docs'],
  ['REDIS_URL', 'localhost:6379'],
  ['REDIS_URL', 'http://localhost:6379'],
  ['REDIS_URL', 'REDISS://localhost:6379'],
  ['REDIS_URL', 'redis:6379'],
  ['REDIS_URL', 'redis://'],
  ['REDIS_URL', 'redis://:secret@'],
  ['REDIS_URL', 'redis:///1'],
  ['REDIS_URL', 'redis://localhost:99999'],
  ['REDIS_URL', 'redis://localhost:6379/abc'],
  ['REDIS_URL', 'redis://localhost:6379/1/2'],
  ['REDIS_URL', 'redis://localhost:6379/-1'],
  ['REDIS_URL', 'redis://localhost:6379?db=abc'],
  ['REDIS_URL', 'redis://localhost:6379?db='],
  ['REDIS_URL', 'redis://us%4:0@localhost:6379'],
  ['REDIS_URL', 'redis://:p%@localhost:6379'],
  ['REDIS_URL', 'redis://us%er:p@localhost:6379'],
  ['S3_ENDPOINT', 'localhost'],
  ['S3_ENDPOINT', 'localhost:9000'],
  ['S3_ENDPOINT', 's3://bucket'],
  ['S3_ENDPOINT', 'http://'],
  ['S3_ENDPOINT', 'http://localhost:99999'],
  ['S3_ENDPOINT', 'http://localhost:9000/bucket'],
  ['S3_ENDPOINT', 'http://localhost:9000/?region=x'],
  ['S3_ENDPOINT', 'http://access:secret@localhost:9000'],
  ['S3_ENDPOINT', 'http://:secret@localhost:9000'],
  ['S3_BUCKET', 'ab'],
  ['S3_BUCKET', 'b'.repeat(64)],
  ['S3_BUCKET', 'Bucket'],
  ['S3_BUCKET', 'my_bucket'],
  ['S3_BUCKET', '-bucket'],
  ['S3_BUCKET', 'bucket.'],
  ['S3_BUCKET', 'a/b'],
  ['S3_BUCKET', 'my..bucket'],
  ['S3_BUCKET', '192.168.1.1'],
  ['S3_REGION', 'us east'],
  ['UPLOAD_MAX_BYTES', '0'],
  ['UPLOAD_MAX_BYTES', '1G'],
  ['UPLOAD_MAX_BYTES', '52428800001'],
  ['RATE_LIMIT_MAX', '-1'],
  ['RATE_LIMIT_WINDOW_MS', '15m'],
  ['TRUST_PROXY', 'true'],
  ['SHUTDOWN_TIMEOUT_MS', '0'],
  ['MAX_IN_FLIGHT', '0'],
  ['WORKER_MAX_MEMORY', '0.5G'],
  ['WORKER_MAX_MEMORY', '9007199254740992'],
  ['WORKER_MAX_MEMORY', '8192T'],
  ['HEALTH_PATH', 'health'],
  ['HEALTH_PATH', '/a b'],
  ['EXPOSE_WORKER', 'yes'],
  ['LOG_LEVEL', 'loud'],
]

void t.test('an unusable value is one fault, which says what is accepted', t => {
  for (const [name, value] of unusable) {
    const faults = faultsOf({ S3_ACCESS_KEY: 'access', S3_SECRET_KEY: 'secret', [name]: value })
    t.equal(faults.length, 1, `${name}=${value}`)
    t.equal(faults[0]?.name, name)
    t.match(faults[0]?.accepted, /^(a|an|one of|the path|"auto"|0 or 1)/, faults[0]?.accepted ?? '')
  }
  t.end()
})

void t.test('every fault of WORKERS says that auto is accepted as well', t => {
  for (const value of ['0', '1025', '-1', 'x']) {
    const accepted = '"auto" (one per core), a whole number from 1 to 1024, or a range like 2-8'
    t.match(faultsOf({ WORKERS: value }), [{ accepted }], value)
  }
  t.end()
})

void t.test('one message names all faults and shows no secret', t => {
  const env = {
    PORT: 'abc',
    WORKERS: 'x',
    REDIS_URL: 'redis:hunter2@',
    NODE_ENV: 'production',
    SESSION_SECRET: 'hunter2',
  }
  const bad = { ...env, REDIS_URL: 'http://:hunter2@localhost' }
  t.strictSame(
    faultsOf(bad).map(({ name }) => name),
    ['PORT', 'WORKERS', 'REDIS_URL', 'SESSION_SECRET'],
  )
  t.throws(() => readConfig(bad), {
    name: 'ConfigError',
    message: /PORT=abc[^]*WORKERS=x[^]*SESSION_SECRET=\(7 characters\)/,
  })
  t.throws(() => readConfig(bad), { message: /^(?![^]*hunter2)/ })
  t.end()
})

void t.test('the keys of a storage are never printed', t => {
  const bad = { PORT: 'abc', S3_ENDPOINT: 'nowhere', S3_ACCESS_KEY: 'access', S3_SECRET_KEY: 'hunter2' }
  t.throws(() => readConfig(bad), { message: /^(?![^]*(hunter2|access))[^]*S3_ENDPOINT=nowhere/ })
  for (const given of ['access:hunter2@', ':hunter2@', 'access:hunter2@more@']) {
    const inside = { ...bad, S3_ENDPOINT: `http://${given}localhost:9000` }
    t.throws(() => readConfig(inside), { message: /^(?![^]*(hunter2|access))[^]*S3_ENDPOINT=…@localhost:9000/ }, given)
  }
  t.end()
})

void t.test('a short secret is refused in production only', t => {
  t.strictSame(faultsOf({ SESSION_SECRET: 'short' }), [])
  t.strictSame(faultsOf({ NODE_ENV: 'production' }), [], 'unset, one is made')
  t.match(faultsOf({ NODE_ENV: 'production', SESSION_SECRET: 's'.repeat(31) }), [{ name: 'SESSION_SECRET' }])
  t.end()
})

const leftToApp: Array<[env: Record<string, string>, name: string, kept: object]> = [
  [{ LOG_LEVEL: 'verbose' }, 'LOG_LEVEL', { logLevel: 'info' }],
  [{ NODE_ENV: 'production', SESSION_SECRET: 'short' }, 'SESSION_SECRET', { sessionSecret: undefined }],
  [{ S3_ENDPOINT: 'https://s3.example.org', S3_ACCESS_KEY: 'a' }, 'S3_SECRET_KEY', { s3: { endpoint: undefined } }],
  [{ REDIS_URL: '127.0.0.1:6379' }, 'REDIS_URL', { redisUrl: undefined }],
  [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY', { trustProxy: 0 }],
]

void t.test('with an app, a value that only the app can use is left to it', t => {
  const APP = join(temporaryFolder(t), 'app.js')
  writeFileSync(APP, '')
  for (const [env, name, kept] of leftToApp) {
    const left: string[] = []
    const config = readConfig({ APP, ...env }, fault => left.push(fault.name))
    t.strictSame(left, [name])
    t.match(config, kept)
    t.throws(() => readConfig(env), ConfigError, `${name} without an app`)
  }
  t.throws(() => readConfig({ APP, PORT: 'abc' }), ConfigError, 'nobody else reads PORT')
  t.end()
})

void t.test('a name with OUTPOST_ in front counts before the bare one, and its faults stop the start', t => {
  const APP = join(temporaryFolder(t), 'app.js')
  writeFileSync(APP, '')
  t.match(readConfig({ LOG_LEVEL: 'verbose', OUTPOST_LOG_LEVEL: 'debug' }), { logLevel: 'debug' })
  t.match(faultsOf({ APP, OUTPOST_LOG_LEVEL: 'verbose' }), [{ name: 'LOG_LEVEL' }])
  t.end()
})

void t.test('a role is handed the settings that it needs and no others', t => {
  const config = readConfig({ S3_ENDPOINT: 'http://s3', S3_ACCESS_KEY: 'access', S3_SECRET_KEY: 'hunter2' })
  t.strictSame(configFor('balancer', config), {
    app: undefined,
    balancers: 1,
    balance: 'round-robin',
    trustProxy: 0,
    upstreamTimeoutMs: 30_000,
    minBytesPerSecond: 256,
    maxInFlight: 256,
    maxHeaderBytes: 16_384,
    sticky: 'off',
    maxSockets: 20_000,
    maxWebSocketsPerClient: 4_000,
    healthPath: '/health',
    production: false,
    logLevel: config.logLevel,
  })
  t.match(configFor('worker', config), { app: undefined, uploadMaxBytes: 1024 ** 3, trustProxy: 0, production: false })
  t.strictSame(configFor('primary', config).s3, config.s3)
  t.ok(Object.isFrozen(configFor('worker', config)))
  t.end()
})

void t.test('a secret is handed to the primary alone', t => {
  const env = {
    REDIS_URL: 'redis://:hunter2@localhost',
    S3_ENDPOINT: 'http://s3',
    S3_ACCESS_KEY: 'hunter2',
    S3_SECRET_KEY: 'hunter2',
    SESSION_SECRET: 'hunter2',
  }
  const config = readConfig(env)
  t.match(JSON.stringify(configFor('primary', config)), 'hunter2')
  for (const role of ['balancer', 'worker'] as const) {
    t.notMatch(JSON.stringify(configFor(role, config)), 'hunter2', role)
  }
  t.end()
})
