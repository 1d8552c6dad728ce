import { availableParallelism } from 'node:os'
import { scheduleOf } from '../../config/schedule.js'
import { shellWords } from '../../config/shell-words.js'
import { exitCodes } from '../../process/exit.js'
import { Failure } from '../failure.js'
import { quoted, type Launch } from '../launch.js'

/** The counterpart of one field of an app in an ecosystem file. */
export type Translation = Partial<Pick<Launch, 'settings' | 'env' | 'nodeOptions'>> & {
  /** Why it has no counterpart, or none that is needed. */
  note?: string
}

type Translate = (value: unknown) => Translation

const NOTHING: Translation = {}

/** Fields without a counterpart that a value like `false` turns off. */
const without =
  (note: string): Translate =>
  value =>
    isOff(value) ? NOTHING : { note }

const silent: Translate = () => NOTHING

const LOG_PLACE = without('the log is in DATA_DIR/logs, and outpost logs shows it')
const EARLY_EXITS = without(
  'a worker that exits early is tried again after a growing pause, and in a crash loop once a minute',
)
const OWN_SERVICES = without('only services of PM2 use it')
const NAMING = without('an instance is known by its folder')
const OWNER = without('Outpost runs as the user who starts it; outpost service writes User=')

/** Every field that PM2 knows, by each of its names. Those of `FIELDS_APART` depend on others. */
const TRANSLATIONS: Readonly<Record<string, Translate>> = {
  args: value => ({ settings: { APP_ARGS: quoted(wordsOf('args', value)) } }),
  instances: value => ({ settings: { WORKERS: workersOf(value) } }),
  exec_mode: silent,
  port: value => ({ env: { PORT: String(value) } }),
  ...named(['node_args', 'interpreter_args', 'interpreterArgs'], value => nodeOptionsOf(wordsOf('node_args', value))),
  ...named(['source_map_support'], value => (value === true ? { nodeOptions: ['--enable-source-maps'] } : NOTHING)),
  max_memory_restart: value => ({ settings: { WORKER_MAX_MEMORY: bytesOf(value) } }),
  kill_timeout: value => ({ settings: { SHUTDOWN_TIMEOUT_MS: millisecondsOf('kill_timeout', value) } }),
  listen_timeout: value => ({ settings: { START_TIMEOUT_MS: millisecondsOf('listen_timeout', value) } }),
  wait_ready: value => (isOff(value) ? NOTHING : { settings: { APP_READY: 'message' } }),
  increment_var: value =>
    value === 'PORT'
      ? { note: 'all workers share the public port, and each gets the same PORT' }
      : { settings: { INCREMENT_VAR: String(value) } },
  instance_var: value =>
    value === 'NODE_APP_INSTANCE' ? NOTHING : { note: 'the number of a worker is in NODE_APP_INSTANCE' },
  disable_logs: value => (value === true ? { settings: { LOG_MAX_BYTES: '0' } } : NOTHING),
  ...named(['interpreter', 'exec_interpreter'], interpreterOf),
  ...named(['cron_restart', 'cron'], reloadCronOf),
  watch: watchOf,
  ignore_watch: value => (isOff(value) ? NOTHING : { settings: { WATCH_IGNORE: quoted([value].flat().map(String)) } }),
  ...named(['watch_delay', 'watch_options'], silent),
  autorestart: value => (value === false ? { note: 'a worker that exits is replaced' } : NOTHING),
  stop_exit_codes: without('a worker that exits is replaced, whatever its exit code'),
  ...named(['max_restarts', 'min_uptime', 'restart_delay', 'exp_backoff_restart_delay'], EARLY_EXITS),
  ...named(['out_file', 'out', 'output', 'out_log', 'error_file', 'error', 'err', 'err_file', 'err_log'], LOG_PLACE),
  ...named(['log_file', 'log', 'log_type'], LOG_PLACE),
  ...named(
    ['log_date_format', 'time'],
    without('lines of Outpost have their time, and those of the app are kept as it prints them'),
  ),
  ...named(['merge_logs', 'combine_logs'], silent),
  ...named(['pid_file', 'pid'], without('the pid is in DATA_DIR/lock')),
  ...named(['uid', 'user', 'gid', 'username'], OWNER),
  ...named(['name_prefix', 'namespace', 'append_env_to_name'], NAMING),
  shutdown_with_message: without('an app is told of its end by SIGTERM, or by outpost.onShutdown'),
  treekill: silent,
  filter_env: without('an app gets the environment of the user who starts it'),
  ...named(
    ['post_update', 'io', 'trace', 'v8', 'event_loop_inspector', 'deep_monitoring', 'install_url'],
    OWN_SERVICES,
  ),
  ...named(
    ['disable_trace', 'disable_source_map_support', 'vizion', 'pmx', 'automation', 'windowsHide', 'force'],
    silent,
  ),
  ...named(['write', 'execute_command', 'kill_retry_time'], silent),
}

/** Read together: which file is run where, and with which variables. */
const FIELDS_APART = new Set(['name', 'script', 'exec', 'cwd', 'env'])

/** People write it in ecosystem files, although PM2 does not know it. Else it would be the environment `file`. */
export function isPathOfVariables(field: string, value: unknown): boolean {
  return field === 'env_file' && typeof value === 'string'
}

const ENV_FILE = 'outpost start --env-file reads such a file'

/** @throws {Failure} the value is none that PM2 takes */
export function translated(field: string, value: unknown): Translation {
  if (isPathOfVariables(field, value)) return { note: ENV_FILE }
  if (value === undefined || FIELDS_APART.has(field) || field.startsWith('env_')) return NOTHING
  const translate = Object.hasOwn(TRANSLATIONS, field) ? TRANSLATIONS[field] : undefined
  return translate?.(value) ?? { note: 'no such field is known' }
}

function isOff(value: unknown): boolean {
  return [undefined, null, false, '', 0].includes(value as never)
}

/** PM2 reads the times in the zone of the machine, and takes seconds before the five fields. */
function reloadCronOf(value: unknown): Translation {
  if (isOff(value) || value === '0') return NOTHING
  const fields = String(value).trim().split(/\s+/)
  const schedule = (fields.length === 6 && fields[0] === '0' ? fields.slice(1) : fields).join(' ')
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions()
  try {
    scheduleOf(schedule, timeZone)
  } catch (error) {
    return { note: `no schedule of five fields: ${(error as Error).message}` }
  }
  return { settings: { RELOAD_CRON: schedule, CRON_TZ: timeZone } }
}

function watchOf(value: unknown): Translation {
  if (isOff(value)) return NOTHING
  return { settings: { WATCH: value === true ? '.' : quoted([value].flat().map(String)) } }
}

function named(names: readonly string[], translate: Translate): Record<string, Translate> {
  return Object.fromEntries(names.map(name => [name, translate]))
}

function wordsOf(field: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String)
  const words = typeof value === 'string' ? shellWords(value) : undefined
  return words ?? unusable(field, value, 'words')
}

/** PM2 counts cores for `max` and 0, and takes some away for a number under 0. */
function workersOf(value: unknown): string {
  if (value === 'max' || Number(value) === 0) return 'auto'
  const number = Number(value)
  if (!Number.isInteger(number)) return unusable('instances', value, 'a number or "max"')
  return String(number > 0 ? number : Math.max(1, availableParallelism() + number))
}

function bytesOf(value: unknown): string {
  const [, digits, unit = ''] = /^(\d+)\s*([KMG]?)B?$/i.exec(String(value)) ?? []
  return digits === undefined ? unusable('max_memory_restart', value, 'a size like 300M') : digits + unit.toUpperCase()
}

function millisecondsOf(field: string, value: unknown): string {
  return /^\d+$/.test(String(value)) ? String(value) : unusable(field, value, 'a number of milliseconds')
}

/** Options that node takes from NODE_OPTIONS, each with the words that follow it. */
function nodeOptionsOf(words: readonly string[]): Translation {
  const nodeOptions: string[] = []
  const refused: string[] = []
  let taking = nodeOptions
  for (const word of words) {
    if (word.startsWith('-')) {
      taking = process.allowedNodeEnvironmentFlags.has(word.split('=', 1)[0] ?? '') ? nodeOptions : refused
    }
    taking.push(/[\s"\\]/.test(word) ? `"${word.replace(/["\\]/g, '\\$&')}"` : word)
  }
  return {
    nodeOptions,
    ...(refused.length === 0 ? {} : { note: noteOf(refused) }),
  }
}

function noteOf(refused: readonly string[]): string {
  const note = `node takes no ${refused.join(' ')} in NODE_OPTIONS`
  return refused.some(word => word.startsWith('--env-file')) ? `${note}; ${ENV_FILE}` : note
}

function interpreterOf(value: unknown): Translation {
  // The script itself says by what it is run, as that of a package manager does.
  if (value === 'none') return NOTHING
  if (typeof value === 'string' && /(^|\/)node(@.*)?$/.test(value)) {
    return value === 'node' ? NOTHING : { note: 'the app is run by the Node that runs Outpost' }
  }
  return unusable('interpreter', value, '"node"; node_args may have --import tsx or the like')
}

function unusable(field: string, value: unknown, accepted: string): never {
  throw new Failure(exitCodes.config, `${field}: ${JSON.stringify(value)} must be ${accepted}`)
}
