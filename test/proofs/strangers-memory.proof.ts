import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { strangers } from '../helpers/plain-node.js'

const hints = ({ lines }: Cluster): string[] => lines.filter(line => line.includes('app keeps its'))

void t.test('state that an app keeps in the memory of each worker is in the log once, in mesh mode', async t => {
  const cluster = await Cluster.start(t, { APP: 'local-state.cjs', BALANCERS: '0' }, undefined, strangers)
  for (const path of ['/', '/', '/', '/', '/socket.io/?EIO=4&transport=polling']) await ask(cluster.url, path)
  for (const kind of ['rooms', 'sessions', 'rate limits']) {
    await cluster.printed(new RegExp(`app keeps its ${kind} in the memory of each worker: `))
  }
  t.match(await cluster.stop(), { code: 0 })
  t.equal(hints(cluster).length, 3)
})

for (const [LIMITS, where] of [
  ['memory', 'in the memory of each worker'],
  ['shared', 'in a store that workers share'],
] as const) {
  void t.test(`rate limits that an ES module counts ${where} are known as such`, async t => {
    const cluster = await Cluster.start(t, { APP: 'limits.mjs', LIMITS }, undefined, strangers)
    for (let i = 0; i < 8; i += 1) t.match(await ask(cluster.url, '/'), { status: 200, text: 'counted' })
    if (LIMITS === 'memory') await cluster.printed(/app keeps its rate limits in the memory of each worker: /)
    t.match(await cluster.stop(), { code: 0 })
    t.equal(hints(cluster).length, LIMITS === 'memory' ? 1 : 0)
  })
}

const limited = (client: string): string => `
require('koa-ratelimit')
${client}
require('node:http').createServer((request, response) => {
  response.writeHead(200, { 'X-RateLimit-Limit': 5, 'X-RateLimit-Remaining': 4 }).end('counted')
}).listen(process.env.PORT)
`

for (const [where, client, found] of [
  ['in memory', '', 1],
  ['in a Redis', "require('ioredis')", 0],
] as const) {
  void t.test(`limits that are seen in answers alone are known as such, if they are counted ${where}`, async t => {
    const folder = t.testdir({
      'app.cjs': limited(client),
      node_modules: { 'koa-ratelimit': { 'index.js': '' }, ioredis: { 'index.js': '' } },
    })
    const cluster = await Cluster.start(t, { APP: join(folder, 'app.cjs'), EMBED: 'none' })
    for (let i = 0; i < 4; i += 1) t.match(await ask(cluster.url, '/'), { status: 200, text: 'counted' })
    if (found > 0) await cluster.printed(/app keeps its rate limits in the memory of each worker: /)
    t.match(await cluster.stop(), { code: 0 })
    t.equal(hints(cluster).length, found)
  })
}
