import t from 'tap'
import { cronJobsIn } from '#src/primary/cron/cron-jobs.js'
import { folderOf } from '../../helpers/releases.js'

const defaults = { timeZone: 'UTC', timeoutMs: 60_000 }

void t.test('jobs are lines of the Procfile and entries of package.json', t => {
  const cron = [
    '@hourly node hourly.js',
    { name: 'mail', schedule: '0 8 * * mon', command: 'node mail.js', timeZone: 'Europe/Berlin', timeout: 5 },
  ]
  const folder = folderOf(t, {
    Procfile: 'web: node a.js\ncron: */5 * * * * KEY=x node five.js\nworker: node b.js\ncron: @daily node daily.js\n',
    'package.json': JSON.stringify({ outpost: { cron } }),
  })
  const { jobs, faults } = cronJobsIn(folder, defaults)
  t.strictSame(faults, [])
  t.strictSame(
    jobs.map(({ name, schedule, line, timeoutMs }) => [
      name,
      schedule.text,
      schedule.timeZone,
      line.words[1],
      timeoutMs,
    ]),
    [
      ['cron.1', '*/5 * * * *', 'UTC', 'five.js', 60_000],
      ['cron.2', '@daily', 'UTC', 'daily.js', 60_000],
      ['cron.3', '@hourly', 'UTC', 'hourly.js', 60_000],
      ['mail', '0 8 * * mon', 'Europe/Berlin', 'mail.js', 5_000],
    ],
  )
  t.equal(jobs[3]?.id, 'mail')
  t.strictSame(jobs[0]?.line.env, { KEY: 'x' })
  t.end()
})

void t.test('a line that cannot be run is named, without the values of variables, and the others run', t => {
  const cron = [
    'KEY=secret node a.js',
    '61 * * * * KEY=secret node a.js',
    { name: 'mail', schedule: '@daily' },
    { name: 'zone', schedule: '@daily', command: 'a', timeZone: 'Mars/Base' },
    '@daily a',
    '@daily a',
    7,
    `TOKEN='very secret' MORE="a secret" b`,
  ]
  const folder = folderOf(t, { 'package.json': JSON.stringify({ outpost: { cron } }) })
  const { jobs, faults } = cronJobsIn(folder, defaults)
  t.strictSame(
    jobs.map(({ line }) => line.words),
    [['a']],
  )
  t.equal(faults.length, 7)
  t.match(faults[0], /no schedule of five fields/)
  t.match(faults[2], /^mail: command/)
  t.match(faults[3], /^zone: .*Mars\/Base/)
  t.match(faults[4], /the same job exists already/)
  t.notOk(faults.join('\n').includes('secret'))
  t.end()
})

void t.test('a folder without either, or with what is no array, has no jobs', t => {
  t.strictSame(cronJobsIn(folderOf(t, {}), defaults), { jobs: [], faults: [] })
  t.strictSame(cronJobsIn(folderOf(t, { 'package.json': '{' }), defaults), { jobs: [], faults: [] })
  const odd = cronJobsIn(folderOf(t, { 'package.json': '{"outpost":{"cron":{}}}' }), defaults)
  t.strictSame(odd, { jobs: [], faults: ['outpost.cron in package.json is not an array'] })
  t.end()
})
