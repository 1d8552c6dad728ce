import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { within } from '../helpers/deadline.js'

const script = fileURLToPath(import.meta.resolve('#scripts/load-test.js'))

/** Runs the load test to its end. */
function loadTest(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr })
    })
  })
}

void t.test('a load test refuses a service that limits rates, in one line at its first 429', async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '100' })
  const { code, stdout, stderr } = await within(
    loadTest('--url', cluster.url, '--duration', '3600', '--json'),
    'the refusal',
    30_000,
  )
  t.equal(code, 2)
  t.equal(stdout, '')
  t.equal(stderr, 'load-test: the service limits rates: start it with RATE_LIMIT_MAX=0\n')
})

void t.test('a load test measures a service without rate limits, which loses nothing', async t => {
  const cluster = await Cluster.start(t, { RATE_LIMIT_MAX: '0' })
  await cluster.ready()
  const run = loadTest('--url', cluster.url, '--duration', '1', '--connections', '4', '--json')
  const { code, stdout } = await within(run, 'the figures', 60_000)
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { outcomes: { lost: 0 } })
})
