import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { folderOf } from '../helpers/releases.js'

/** Holds a lease from a request to another one, after the first has its answer. */
const app = `
import { createServer } from 'node:http'
export default outpost => {
  let end = () => undefined
  return createServer((request, response) => {
    if (request.url === '/end') end()
    if (request.url !== '/begin') return response.end(String(process.pid))
    const leased = outpost.lease('bills', async ({ signal, fence }) => {
      const ended = new Promise(resolve => (end = resolve))
      signal.addEventListener('abort', () => {
        console.log('told to end: ' + signal.reason.message)
        end()
      })
      response.end('holds ' + fence)
      await ended
      return 'paid'
    })
    leased.then(
      done => (done === undefined ? response.end('held') : console.log('done ' + JSON.stringify(done))),
      error => response.headersSent ? console.log('failed ' + error.message) : response.end(error.message),
    )
  })
}
`

const files = { 'package.json': '{"type":"module","main":"app.js"}', 'app.js': app }

void t.test('an app holds a lease', async t => {
  const folder = folderOf(t, files)
  const settings = { APP: folder, WORKERS: '0-2', SCALE_TO_ZERO_AFTER: '2', APP_ENTRY: 'export' }
  const cluster = Cluster.spawn(t, settings, undefined, folder)
  await cluster.serving()
  const client = await ControlClient.of(cluster.dataDir)
  const text = async (path: string): Promise<string> => (await ask(cluster.url, path)).text

  await t.test('a lease starts a Redis, and keeps its worker running', async t => {
    t.match(await text('/begin'), /^holds \d{16}$/)
    t.equal(await text('/begin'), 'held')
    await until(async () => (await client.status()).sleep?.heldBy === 'lease "bills" is held', 'what holds the worker')
    t.match(
      (await client.status()).processes.filter(({ role }) => role === 'worker'),
      [{ leases: ['bills'] }],
    )
    await text('/end')
    await cluster.printed(/done {"value":"paid","fence":\d{16}}/)
    await cluster.printed(/pool shrinks to 0 workers/)
    await cluster.has('worker', 0)
  })

  await t.test('a holder is told of the end of its worker, and the next worker gets the lease', async t => {
    t.match(await text('/begin'), /^holds/)
    await client.reload()
    await cluster.printed(/told to end: the worker is stopping/)
    await until(async () => (await text('/begin')).startsWith('holds'), 'the lease again')
    t.pass()
  })
})

const listening = `
const before = Object.keys(globalThis)
const lend = globalThis[Symbol.for('outpost')]
require('node:http').createServer(async (request, response) => {
  const outpost = await lend()
  const done = await outpost.lease('bills', async ({ fence }) => fence > 0)
  response.end(JSON.stringify({ done, isHidden: !before.includes('outpost') && typeof outpost.session }))
}).listen(process.env.PORT)
`

const awaiting = `
import { createServer } from 'node:http'
const outpost = await globalThis[Symbol.for('outpost')]?.()
createServer(async (request, response) => {
  response.end(JSON.stringify({ done: await outpost.lease('bills', () => true) }))
}).listen(process.env.PORT)
`

void t.test('an app that listens by itself finds the same services by their name', async t => {
  for (const [name, text] of Object.entries({ 'app.cjs': listening, 'app.mjs': awaiting })) {
    const folder = folderOf(t, { [name]: text })
    const cluster = await Cluster.start(t, { APP: join(folder, name), WORKERS: '1' })
    const { status, text: answer } = await ask(cluster.url, '/')
    t.match([status, JSON.parse(answer)], [200, { done: { value: true, fence: Number } }], name)
    t.match(await cluster.stop(), { code: 0 })
  }
})
