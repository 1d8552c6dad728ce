import { availableParallelism } from 'node:os'
import t from 'tap'
import { translated, type Translation } from '#src/cli/pm2/translation.js'

void t.test('fields with a counterpart become settings, variables or options of node', t => {
  const cases: Array<[field: string, value: unknown, translation: Translation]> = [
    ['wait_ready', true, { settings: { APP_READY: 'message' } }],
    ['instances', 3, { settings: { WORKERS: '3' } }],
    ['instances', 'max', { settings: { WORKERS: 'auto' } }],
    ['instances', 0, { settings: { WORKERS: 'auto' } }],
    ['instances', '2', { settings: { WORKERS: '2' } }],
    ['instances', -1, { settings: { WORKERS: String(Math.max(1, availableParallelism() - 1)) } }],
    ['instances', -1000, { settings: { WORKERS: '1' } }],
    ['args', `--a "two words"`, { settings: { APP_ARGS: `'--a' 'two words'` } }],
    ['args', ['it’s', "it's", 7], { settings: { APP_ARGS: `'it’s' 'it'\\''s' '7'` } }],
    ['port', 8080, { env: { PORT: '8080' } }],
    ['max_memory_restart', '300M', { settings: { WORKER_MAX_MEMORY: '300M' } }],
    ['max_memory_restart', '1gb', { settings: { WORKER_MAX_MEMORY: '1G' } }],
    ['max_memory_restart', 5000, { settings: { WORKER_MAX_MEMORY: '5000' } }],
    ['kill_timeout', 3000, { settings: { SHUTDOWN_TIMEOUT_MS: '3000' } }],
    ['listen_timeout', '8000', { settings: { START_TIMEOUT_MS: '8000' } }],
    ['increment_var', 'SHARD', { settings: { INCREMENT_VAR: 'SHARD' } }],
    ['disable_logs', true, { settings: { LOG_MAX_BYTES: '0' } }],
    ['source_map_support', true, { nodeOptions: ['--enable-source-maps'] }],
    [
      'node_args',
      '--max-old-space-size=200 --require "./a b.js"',
      { nodeOptions: ['--max-old-space-size=200', '--require', '"./a b.js"'] },
    ],
    ['interpreter_args', ['--import', 'tsx'], { nodeOptions: ['--import', 'tsx'] }],
    ['interpreter', 'node', {}],
  ]
  for (const [field, value, translation] of cases) {
    t.strictSame(translated(field, value), translation, `${field}: ${JSON.stringify(value)}`)
  }
  t.end()
})

void t.test('options that node does not take from NODE_OPTIONS are named', t => {
  t.match(translated('node_args', '--prof --stack-trace-limit=5'), {
    nodeOptions: ['--stack-trace-limit=5'],
    note: /--prof/,
  })
  t.end()
})

void t.test('a field without a counterpart is named with the reason, if it would have an effect', t => {
  for (const [field, value] of Object.entries({
    cron_restart: '0 0 31 2 *',
    autorestart: false,
    max_restarts: 5,
    out_file: './out.log',
    increment_var: 'PORT',
    instance_var: 'INSTANCE',
    uid: 'www-data',
    shutdown_with_message: true,
  })) {
    t.match(translated(field, value), { note: /\w/ }, field)
  }
  for (const [field, value] of Object.entries({
    watch: false,
    cron_restart: 0,
    autorestart: true,
    wait_ready: false,
    merge_logs: true,
    exec_mode: 'fork',
    instance_var: 'NODE_APP_INSTANCE',
    source_map_support: false,
    vizion: false,
  })) {
    t.strictSame(translated(field, value), {}, `${field}: ${String(value)} asks for nothing`)
  }
  t.match(translated('instnaces', 2), { note: 'no such field is known' })
  t.end()
})

void t.test('reloads by the clock and by changes of files are taken over', t => {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions()
  const reload = (schedule: string): object => ({ settings: { RELOAD_CRON: schedule, CRON_TZ: timeZone } })
  t.strictSame(translated('cron_restart', '0 4 * * *'), reload('0 4 * * *'))
  t.strictSame(translated('cron', '0 30 4 * * 1'), reload('30 4 * * 1'), 'seconds are left out')
  t.match(translated('cron_restart', '*/5 * * * * *'), { note: /no schedule of five fields/ })
  t.strictSame(translated('watch', true), { settings: { WATCH: '.' } })
  t.strictSame(translated('watch', ['src', 'my views']), { settings: { WATCH: `'src' 'my views'` } })
  t.strictSame(translated('ignore_watch', ['*.log', 'tmp']), { settings: { WATCH_IGNORE: `'*.log' 'tmp'` } })
  t.end()
})

void t.test('a value that PM2 would not take either is refused', t => {
  const cases: Array<[field: string, value: unknown]> = [
    ['instances', 'many'],
    ['instances', 1.5],
    ['max_memory_restart', 'much'],
    ['kill_timeout', 'soon'],
    ['args', { a: 1 }],
    ['args', '"open'],
    ['interpreter', 'python'],
  ]
  for (const [field, value] of cases) {
    t.throws(() => translated(field, value), { exitCode: 78, message: new RegExp(`^${field}: .* must be `) }, field)
  }
  t.end()
})

/** Of PM2 7, lib/API/schema.json, with their other names. */
const FIELDS_OF_PM2 = `script exec name name_prefix filter_env namespace install_url cwd args exec_interpreter interpreter
  node_args interpreterArgs interpreter_args out_file out output out_log error_file error err err_file err_log log_file log
  disable_logs log_type log_date_format time env env_production max_memory_restart pid_file pid restart_delay
  exp_backoff_restart_delay source_map_support disable_source_map_support wait_ready instances kill_timeout
  shutdown_with_message listen_timeout cron_restart cron merge_logs combine_logs vizion autorestart watch_delay watch
  ignore_watch watch_options min_uptime max_restarts execute_command exec_mode force append_env_to_name post_update trace
  disable_trace v8 event_loop_inspector deep_monitoring increment_var instance_var pmx automation treekill port username uid
  user gid windowsHide kill_retry_time write io`

void t.test('every field of PM2 is known', t => {
  for (const field of FIELDS_OF_PM2.split(/\s+/)) t.not(noteOf(field), 'no such field is known', field)
  t.end()
})

/** A value that a field refuses shows that it is known. */
function noteOf(field: string): string | undefined {
  try {
    return translated(field, 'x').note
  } catch {
    return undefined
  }
}
