import http from 'node:http'
import t from 'tap'
import { targetHeaderLimits } from '#balancer/contract/header-limits.js'
import { defaultOptions } from '#balancer/options.js'
import { rawExchange, requestBytes } from '../../helpers/raw-http.js'
import { RunningBalancer } from '../../helpers/running-balancer.js'
import { socketPathFor } from '../../helpers/fake-target.js'

const { maxHeaderBytes, maxHeaders } = defaultOptions
const target = targetHeaderLimits(defaultOptions)

/** Each is close to a limit of the edge. */
const heads: [name: string, headers: string[]][] = [
  ['as many headers as allowed', Array.from({ length: maxHeaders - 1 }, (_, i) => `${i}:x`)],
  ['one long header', [`X-Long: ${'x'.repeat(maxHeaderBytes - 60)}`]],
  ['a long forwarded host', [`X-Forwarded-Host: ${'h'.repeat(maxHeaderBytes - 80)}`]],
  ['many hops', [`X-Forwarded-For: ${Array(1_400).fill('192.0.2.1').join(',')}`]],
]

for (const trustProxy of [0, 32]) {
  for (const [name, headers] of heads) {
    void t.test(`a target accepts what passes the edge: ${name}, ${trustProxy} trusted hops`, async t => {
      const path = socketPathFor(t)
      let seen = 0
      const server = http.createServer({ maxHeaderSize: target.maxHeaderBytes }, (request, response) => {
        if (request.url !== '/health') seen = request.rawHeaders.length / 2
        response.end('served')
      })
      server.maxHeadersCount = target.maxHeaders
      server.listen(path)
      t.teardown(() => server.close().closeAllConnections())
      const spec = { id: 'a', socketPath: path, draining: false }
      const running = await RunningBalancer.start(t, [{ spec }], { trustProxy })
      const answer = await rawExchange(running.port, requestBytes('GET /', headers))
      t.equal(answer.status, 200)
      const dropped = trustProxy === 0 && name.includes('forwarded') ? 1 : 0
      t.ok(seen > headers.length - dropped, 'all headers arrive, and those of the edge')
    })
  }
}
