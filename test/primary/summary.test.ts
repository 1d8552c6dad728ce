import t from 'tap'
import { readConfig } from '#src/config/config.js'
import { summaryOf } from '#src/primary/summary.js'

function summary(env: NodeJS.ProcessEnv): string {
  const config = readConfig(env)
  return summaryOf({
    config,
    workers: config.workers.min,
    host: config.host ?? '::',
    port: 3_000,
    redis: 'REDIS_URL' in env ? undefined : 'embedded',
    storage: 'embedded',
    startedInMs: 612.4,
  })
}

void t.test('the summary names the address, the parts and the time of the start', t => {
  const shown = summary({ WORKERS: '3', DATA_DIR: '/tmp/outpost' })
  t.match(shown, /^Outpost is ready \(pid \d+, 612 ms\)\n/)
  const rows = ['public http://localhost:3000', 'app built-in', 'workers 3', 'balancers 1 (round-robin)']
  for (const row of [...rows, 'redis embedded', 'storage embedded', 'data /tmp/outpost']) {
    t.match(shown.replace(/ +/g, ' '), `\n ${row}\n`)
  }
  t.notMatch(shown, 'note')
  t.match(summary({ WORKERS: '2-8' }), 'workers    2 (2 to 8, by load)')
  t.match(summary({ BALANCERS: '0' }), 'none (mesh: every worker balances)')
  t.match(summary({ HOST: '::1' }), 'http://[::1]:3000')
  t.end()
})

void t.test('the summary names the settings that machines with a shared Redis need', t => {
  const REDIS_URL = 'redis://user:hunter2@redis.example:6380/1'
  const SESSION_SECRET = 's'.repeat(32)
  const S3 = { S3_ENDPOINT: 'https://s3.example', S3_ACCESS_KEY: 'access', S3_SECRET_KEY: 'secret' }
  t.match(summary({ REDIS_URL }), /note +.*SESSION_SECRET[^]*note +.*S3_ENDPOINT/)
  t.match(summary({ REDIS_URL, SESSION_SECRET }), /^[^]*note(?![^]*SESSION_SECRET)[^]*S3_ENDPOINT/)
  t.match(summary({ REDIS_URL, ...S3 }), /note(?![^]*S3_ENDPOINT)[^]*SESSION_SECRET/)
  t.notMatch(summary({ REDIS_URL, SESSION_SECRET, ...S3 }), 'note')
  t.notMatch(summary({ REDIS_URL, SESSION_SECRET, APP: 'package.json' }), 'note', 'an app that may need no storage')
  t.match(summary({ REDIS_URL }), 'redis://redis.example:6380/1')
  t.notMatch(summary({ REDIS_URL }), 'hunter2')
  t.end()
})
