import t from 'tap'
import { coloured, withoutColours } from '#src/cli/paint.js'
import { statusLines, urlOf } from '#src/cli/status.js'
import { aStatus } from '../control/running-control.js'

void t.test('a status is a few facts and a line for each process', t => {
  t.strictSame(statusLines(aStatus), [
    'Outpost 0.1.0 is serving http://127.0.0.1:3000 (pid 7, up 0s)',
    '  app      built-in',
    '  data     /srv/shop/.outpost',
    '  workers  1 of 1 ready, 1 balancer',
    '',
    'PROCESS   PID  RELEASE  STATE  UP  RESTARTS   CPU  MEMORY  LOOP  IN FLIGHT  REQ/S',
    'worker 1    8  live/0   ready  0s         0  50 %   0 MiB  25 %          3     50',
  ])
  t.end()
})

void t.test('colours change nothing but the colours', t => {
  const lines = statusLines(aStatus, coloured)
  t.not(lines.join('\n'), statusLines(aStatus).join('\n'))
  t.strictSame(lines.map(withoutColours), statusLines(aStatus))
  t.end()
})

void t.test('before its first heartbeat a process has no measurements', t => {
  const [worker] = aStatus.processes
  const line = statusLines({ ...aStatus, processes: [{ ...worker!, rssBytes: 0, state: 'starting' }] }).at(-1)
  t.match(line, /starting +0s +0 +- +- +- +- +-$/)
  t.end()
})

void t.test('mesh mode is named, and so is the app', t => {
  const lines = statusLines({ ...aStatus, app: '/srv/shop', wanted: { workers: 3, balancers: 0 } })
  t.ok(lines.includes('  app      /srv/shop'))
  t.ok(lines.includes('  workers  1 of 3 ready, mesh mode'))
  t.end()
})

void t.test('the address is one that a browser takes', t => {
  t.equal(urlOf({ host: '::', port: 80 }), 'http://localhost:80')
  t.equal(urlOf({ host: '0.0.0.0', port: 80 }), 'http://localhost:80')
  t.equal(urlOf({ host: '::1', port: 3000 }), 'http://[::1]:3000')
  t.end()
})

void t.test('the status names a pause, maintenance and a preview', t => {
  const ago = (seconds: number): string => new Date(Date.now() - seconds * 1_000).toISOString()
  const lines = statusLines({
    ...aStatus,
    release: 'r1',
    preview: { release: 'r2', ready: true },
    paused: { since: ago(12.5), until: ago(-18.5) },
    maintenance: { since: ago(60.5), retryAfter: 60, allow: ['192.0.2.7'] },
  })
  t.ok(lines.includes('  release  r1; r2 is in preview'))
  t.ok(lines.includes('  paused   requests have waited for 12s, and go on in 18s at the latest'))
  t.ok(lines.includes('  closed   maintenance for 1m so far: clients get 503 and a page, but for 192.0.2.7'))
  const early = statusLines({ ...aStatus, preview: { release: 'r2', ready: false } }).join('\n')
  t.match(early, /start; r2 is started for a preview/)
  t.end()
})

void t.test('Procfile processes are shown with their names, and counted', t => {
  const [worker] = aStatus.processes
  const beside = { ...worker!, role: 'process' as const, id: 'mailer.1', rssBytes: 3 * 1024 ** 2 }
  const wanted = { ...aStatus.wanted, processes: { mailer: 2 } }
  const lines = statusLines({ ...aStatus, wanted, processes: [beside] })
  t.ok(lines.includes('  beside   mailer 1 of 2'))
  t.match(lines.at(-1), /^mailer\.1 .* live\/0 +ready +0s +0 +50 % +3 MiB +- +- +-$/)
  t.end()
})

void t.test('jobs of cron have their next time and their last run', t => {
  const job = { schedule: '@daily', timeZone: 'UTC', command: 'node x.js', next: '2026-11-28T00:00:00.000Z' }
  const past = { at: '2026-11-27T00:00:00.012Z', ms: 61_000, result: 'exit code 3' }
  const running = { since: past.at }
  const lines = statusLines({
    ...aStatus,
    cron: [
      { ...job, name: 'bills', runs: [past] },
      { ...job, name: 'new', timeZone: 'Europe/Berlin', runs: [], running },
    ],
  })
  t.strictSame(lines.slice(-3), [
    'CRON   SCHEDULE              NEXT                  LAST                   TOOK  RESULT',
    'bills  @daily                2026-11-28T00:00:00Z  2026-11-27T00:00:00Z  1m 1s  exit code 3',
    'new    @daily Europe/Berlin  runs now              -                         -  -',
  ])
  t.end()
})

void t.test('workers of another release are not counted as those that are wanted', t => {
  const [worker] = aStatus.processes
  const status = { ...aStatus, release: 'r2', processes: ['r1', 'r2'].map(release => ({ ...worker!, release })) }
  t.ok(statusLines(status).includes('  workers  1 of 1 ready, 1 balancer'))
  t.end()
})
