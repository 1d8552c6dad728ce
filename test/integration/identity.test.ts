import http from 'node:http'
import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'

const FORGED = {
  'x-forwarded-for': '198.51.100.1, 203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'evil.example',
  forwarded: 'for=198.51.100.1',
  'x-real-ip': '198.51.100.1',
  'x-outpost-client': 'https 198.51.100.1',
}

for (const BALANCERS of ['1', '0']) {
  void t.test(`an unchanged app gets the identity of its clients, with BALANCERS=${BALANCERS}`, async t => {
    const { url } = await Cluster.start(t, {
      APP: fixture('instrumented-app.js'),
      EMBED: 'none',
      WORKERS: '1',
      BALANCERS,
    })

    await t.test('an app gets the address of each client, however their requests are mixed', async t => {
      const agents = ['127.0.3.1', '127.0.3.2', '127.0.3.3'].map(from => {
        return { from, agent: new http.Agent({ keepAlive: true, maxSockets: 1 }) }
      })
      t.teardown(() => agents.forEach(({ agent }) => agent.destroy()))
      for (let round = 0; round < 4; round++) {
        for (const { from, agent } of agents) {
          t.match(jsonOf(await ask(url, '/whoami', { from, agent })), { ip: from, protocol: 'http', secure: false })
        }
      }
      const crowd = Array.from({ length: 60 }, (_, index) => `127.0.4.${index + 1}`)
      const seen = await Promise.all(crowd.map(async from => jsonOf(await ask(url, '/whoami', { from }))['ip']))
      t.strictSame(seen, crowd, 'at once')
    })

    await t.test('headers of a client do not change its identity', async t => {
      const answer = jsonOf(await ask(url, '/whoami', { headers: FORGED }))
      t.match(answer, { ip: '127.0.0.1', protocol: 'http', secure: false })
      const headers = answer['headers'] as Record<string, string>
      for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip']) {
        t.notOk(name in headers, name)
      }
      t.equal(headers['forwarded'], undefined)
      t.equal(headers['x-outpost-client'], undefined)
    })
  })

  void t.test(`behind one trusted proxy the identity comes from its headers, with BALANCERS=${BALANCERS}`, async t => {
    const APP = fixture('instrumented-app.js')
    const { url } = await Cluster.start(t, { APP, WORKERS: '1', BALANCERS, TRUST_PROXY: '1' })
    const answer = jsonOf(await ask(url, '/whoami', { headers: FORGED }))
    t.match(
      answer,
      { ip: '203.0.113.7', protocol: 'https', secure: true },
      'only the entry of the trusted proxy counts',
    )
    const headers = answer['headers'] as Record<string, string>
    t.match(headers, { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' })
    t.equal(headers['x-forwarded-host'], 'evil.example', 'which a proxy would have overwritten')
    t.match(
      jsonOf(await ask(url, '/whoami')),
      { ip: '127.0.0.1', protocol: 'http' },
      'a proxy without such headers is the client',
    )
  })
}
