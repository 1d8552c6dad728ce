import { join } from 'node:path'
import { defaults } from '#balancer/contract/defaults.js'
import { edgeHeaderLimits } from '#balancer/contract/header-limits.js'
import { homeFolder } from './app-environment.js'
import { logLevels } from '../process/log.js'
import {
  anyText,
  appPath,
  balancerCount,
  byteSize,
  flag,
  formation,
  host,
  httpOrigin,
  milliseconds,
  oneOf,
  redisUrl,
  schedule,
  storePort,
  textLike,
  timeZone,
  trustedProxies,
  whether,
  wholeNumber,
  words,
  workerRange,
  writableFolder,
  type Parser,
} from './parsers.js'

export type Role = 'primary' | 'balancer' | 'worker'

/** One environment variable. `Value` is undefined where there is no default. */
export interface Variable<Value, Seer extends Role> {
  name: string
  parser: Parser<Value>
  /** The default, written like a given value; undefined when there is none. */
  default: string | undefined
  /** The column "default" in docs/config.md, for a default that is not the same everywhere. */
  shownDefault?: string
  /** One line for docs/config.md. */
  doc: string
  /** The roles that need it. */
  seenBy: readonly Seer[]
  /** The part of a value that a message may show; all of it when undefined. */
  masked?: (text: string) => string
  /** The default with the built-in app, where it is another. */
  builtIn?: string
  /** Other programs read the variable, too, so the tests do not unset it. */
  shared?: boolean
  /** Apps use this name for things of their own. */
  appsUse?: boolean
}

type Details = Pick<Variable<unknown, Role>, 'shownDefault' | 'masked' | 'builtIn' | 'shared' | 'appsUse'>

function withDefault<Value, const Seer extends Role>(
  name: string,
  parser: Parser<Value>,
  text: string,
  seenBy: readonly Seer[],
  doc: string,
  details: Details = {},
): Variable<Value, Seer> {
  return { name, parser, default: text, doc, seenBy, ...details }
}

function optional<Value, const Seer extends Role>(
  name: string,
  parser: Parser<Value>,
  shownDefault: string,
  seenBy: readonly Seer[],
  doc: string,
  details: Details = {},
): Variable<Value | undefined, Seer> {
  return { name, parser, default: undefined, shownDefault, doc, seenBy, ...details }
}

const appsUse: Details = { appsUse: true }
const secret: Details = { masked: text => `(${text.length} characters)`, ...appsUse }

const primary = ['primary'] as const
const worker = ['worker'] as const
/** In mesh mode a worker balances as well. */
const balancing = ['balancer', 'worker'] as const
const everybody = ['primary', 'balancer', 'worker'] as const
const primaryAndWorker = ['primary', 'worker'] as const

/** 10,000 parts, which is S3's limit, of 5 MiB each. */
const MAX_UPLOAD_BYTES = 10_000 * 5 * 1024 ** 2

/** S3 clients refuse bucket names that look like IP addresses. */
const BUCKET = textLike(
  /^(?!.*\.\.)(?!.*\d+\.\d+\.\d+\.\d)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  'a bucket name: 3 to 63 of a-z, 0-9, "-" and ".", no two dots together, and no IP address',
)
const REGION = textLike(/^[a-z0-9-]{1,64}$/i, 'a region like us-east-1')

/** The environment, one row a variable, by the field of `Config` that holds it. */
// prettier-ignore
export const variables = {
  port: withDefault('PORT', wholeNumber(0, 65_535), '3000', primary,
    'public port; 0 takes a free one, which the start summary names'),
  host: optional('HOST', host, 'all addresses', primary,
    'address of the public port; unset: the one that your app listens on', appsUse),
  workers: withDefault('WORKERS', workerRange, 'auto', primary,
    'number of worker processes; A-B: scaled with the load'),
  balancers: withDefault('BALANCERS', balancerCount, 'auto', everybody,
    'number of balancer processes; 0 is mesh mode'),
  balance: withDefault('BALANCE', oneOf(['round-robin', 'least-busy']), defaults.balance, everybody,
    'how a balancer picks a worker'),
  app: optional('APP', appPath, 'built-in app', everybody,
    'your app: a module, or a folder with a package.json'),
  appArgs: withDefault('APP_ARGS', words, '', primary,
    'arguments of your app'),
  incrementVar: optional('INCREMENT_VAR', textLike(/^[A-Za-z_]\w*$/, 'the name of a variable'), 'none', primary,
    'variable of your app that is 1 higher in each further worker'),
  appEntry: optional('APP_ENTRY', oneOf(['listen', 'export']), 'detected', worker,
    'whether your app is the server that listens or the default export'),
  appReady: withDefault('APP_READY', oneOf(['listen', 'message']), 'listen', primary,
    "whether a worker that listens is ready, or waits for process.send('ready')"),
  processes: withDefault('PROCESSES', formation, '', primary,
    'number of processes of each Procfile line, if not one'),
  cronTimeZone: withDefault('CRON_TZ', timeZone, 'UTC', primary,
    'time zone of cron schedules'),
  cronTimeoutS: withDefault('CRON_TIMEOUT', wholeNumber(1, 604_800, 'seconds'), '3600', primary,
    'longest run of a cron job'),
  reloadCron: optional('RELOAD_CRON', schedule, 'never', primary,
    'times at which all workers are replaced, as by `outpost reload`'),
  watch: withDefault('WATCH', words, '', primary,
    'files and folders whose changes reload the app, for development; . is all'),
  watchIgnore: withDefault('WATCH_IGNORE', words, '', primary,
    'files and folders that are not watched, by the rules of .gitignore'),
  startTimeoutMs: withDefault('START_TIMEOUT_MS', milliseconds, '60000', primary,
    'longest start of a worker'),
  redisUrl: optional('REDIS_URL', redisUrl, 'embedded', primary,
    'Redis to use; unset: an embedded redis-server', secret),
  embed: withDefault('EMBED', oneOf(['auto', 'none', 'redis', 'storage', 'all']), 'auto', primaryAndWorker,
    'embedded servers that run; auto: those that the app uses'),
  s3: {
    endpoint: optional('S3_ENDPOINT', httpOrigin, 'embedded', primary,
      'S3-compatible server to use; unset: an embedded store',
      // Some people write the keys into the URL, which is an error.
      { masked: text => text.replace(/^.*@/s, '…@'), ...appsUse }),
    accessKey: optional('S3_ACCESS_KEY', anyText, 'made at first start', primary,
      'access key; required with `S3_ENDPOINT`', secret),
    secretKey: optional('S3_SECRET_KEY', anyText, 'made at first start', primary,
      'secret key; required with `S3_ENDPOINT`', secret),
    bucket: withDefault('S3_BUCKET', BUCKET, 'outpost', primary,
      'bucket for all objects; created when it does not exist', appsUse),
    region: withDefault('S3_REGION', REGION, 'us-east-1', primary,
      'region that requests are signed for', appsUse),
  },
  uploadMaxBytes: withDefault('UPLOAD_MAX_BYTES', wholeNumber(1, MAX_UPLOAD_BYTES, 'bytes'), String(1024 ** 3), worker,
    'largest upload; a larger one is answered 413 and not kept', appsUse),
  uploadQuotaBytes: withDefault('UPLOAD_QUOTA_BYTES', byteSize, '10G', worker,
    'bytes that one account may have uploaded; then 507', appsUse),
  minFreeBytes: optional('MIN_FREE_BYTES', byteSize, '1G, or 5 % if that is less', primary,
    'free space under which the store refuses writes (507), and deploys are refused', appsUse),
  storePort: withDefault('STORE_PORT', storePort, 'auto', primary,
    'port of the store on 127.0.0.1; auto: one if your app names an S3 client', appsUse),
  cacheDir: withDefault('XDG_CACHE_HOME', anyText, join(homeFolder(), '.cache'), primary,
    'cache folder, searched for a MinIO built by install-minio.sh', { shownDefault: '~/.cache', shared: true }),
  stateDir: withDefault('XDG_STATE_HOME', anyText, join(homeFolder(), '.local/state'), primary,
    'state folder, where commands find running instances', { shownDefault: '~/.local/state', shared: true }),
  dataDir: withDefault('DATA_DIR', writableFolder, './.outpost', primary,
    'folder for everything the program writes; one instance per folder'),
  runAs: optional('RUN_AS', textLike(/^(\d+|[a-z_][a-z0-9_.-]*)$/i, 'the name or number of a user'), 'owner of the app', primary,
    'user to run as when started as root'),
  adminPort: optional('ADMIN_PORT', wholeNumber(0, 65_535), 'off', primary,
    'port of the control API on 127.0.0.1; each request needs a token'),
  sessionSecret: optional('SESSION_SECRET', anyText, 'made at first start', primary,
    'key that signs session cookies', secret),
  rateLimitMax: withDefault('RATE_LIMIT_MAX', wholeNumber(0, 1_000_000_000), '100', worker,
    'requests of one client address in a window; 0 turns limits off', appsUse),
  rateLimitWindowMs: withDefault('RATE_LIMIT_WINDOW_MS', wholeNumber(1_000, 86_400_000, 'milliseconds'), '900000', worker,
    'length of that window', appsUse),
  trustProxy: withDefault('TRUST_PROXY', trustedProxies, String(defaults.trustProxy), balancing,
    'number of trusted proxies in front, or their addresses and ranges', appsUse),
  shutdownTimeoutMs: withDefault('SHUTDOWN_TIMEOUT_MS', milliseconds, '30000', primary,
    'longest stop'),
  scaleToZeroAfterS: withDefault('SCALE_TO_ZERO_AFTER', wholeNumber(1, 86_400, 'seconds'), '60', primary,
    'time without a request after which WORKERS=0-B ends all workers'),
  keepWarmS: withDefault('KEEP_WARM', wholeNumber(0, 3_600, 'seconds'), '60', primary,
    'how long the previous release stays ready for an instant rollback'),
  installTimeoutMs: withDefault('INSTALL_TIMEOUT_MS', milliseconds, '600000', primary,
    'longest installation of a release'),
  drainTimeoutMs: withDefault('DRAIN_TIMEOUT_MS', milliseconds, '300000', primary,
    'time for requests in flight at a worker that is being replaced'),
  upstreamTimeoutMs: withDefault('UPSTREAM_TIMEOUT_MS', milliseconds, String(defaults.upstreamTimeoutMs), balancing,
    'time from the end of a request to the first byte of its answer; then 504'),
  minBytesPerSecond: withDefault('MIN_BYTES_PER_SECOND', wholeNumber(0, 1_000_000, 'bytes'), String(defaults.minBytesPerSecond), balancing,
    'slowest rate at which a client may send a body or read an answer; 0: any'),
  maxInFlight: withDefault('MAX_IN_FLIGHT', wholeNumber(1, 1_000_000), String(defaults.maxInFlight), balancing,
    'requests at one worker at once, per balancing process'),
  maxHeaderBytes: withDefault('MAX_HEADER_BYTES', wholeNumber(1_024, 1_048_576, 'bytes'), String(edgeHeaderLimits.maxHeaderBytes), balancing,
    'request line and headers of a request; then 431'),
  sticky: withDefault('STICKY', oneOf(['off', 'cookie', 'ip', 'connection']), 'off', balancing,
    'keeps a client at one worker, for apps with state in memory'),
  maxSockets: withDefault('MAX_SOCKETS', wholeNumber(1, 1_000_000), String(defaults.maxSockets), balancing,
    'client connections at once, per balancing process; then 503'),
  maxWebSocketsPerClient: withDefault('MAX_WEBSOCKETS_PER_CLIENT', wholeNumber(1, 1_000_000), String(defaults.maxUpgradedPerClient), balancing,
    'upgraded connections of one client address; then 429'),
  chatSignIn: withDefault('CHAT_SIGN_IN', flag, '0', worker,
    '1: only users who are signed in may connect to the chat'),
  workerMaxMemory: withDefault('WORKER_MAX_MEMORY', byteSize, '0', primary,
    'resident memory at which a worker is replaced; 0 is no limit'),
  healthPath: optional('HEALTH_PATH', textLike(/^\/[!-~]*$/, 'a path that begins with "/"'), `${defaults.healthPath}, built-in app`, balancing,
    'path that balancers probe; an answer under 500 is good', { builtIn: defaults.healthPath, ...appsUse }),
  exposeWorker: withDefault('EXPOSE_WORKER', flag, '0', worker,
    '1: the built-in app names its worker in `X-Outpost-Worker`'),
  production: withDefault('NODE_ENV', whether('production'), '', everybody,
    '`production`: session cookies and HSTS for HTTPS only'),
  logMaxBytes: withDefault('LOG_MAX_BYTES', byteSize, '64M', primary,
    'size of the log in DATA_DIR/logs, in two files; 0 keeps none'),
  logLevel: withDefault('LOG_LEVEL', oneOf(logLevels), 'info', everybody,
    'least severe level that is logged', appsUse),
}

export type Variables = typeof variables

/** A row of any kind. */
export type AnyVariable = Variable<unknown, Role>

export function isVariable(row: object): row is AnyVariable {
  return 'parser' in row
}

/** Every row, in the order of the table. */
export function allVariables(table: object = variables): AnyVariable[] {
  return Object.values(table).flatMap((row: object) => (isVariable(row) ? [row] : allVariables(row)))
}
