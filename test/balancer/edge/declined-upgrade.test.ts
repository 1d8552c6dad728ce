import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { headWithoutUpgrade } from '#balancer/edge/declined-upgrade.js'

void t.test('a declined upgrade leaves the head of the request without the offer', t => {
  const rawHeaders = ['Host', 'a', 'CONNECTION', 'keep-alive, Upgrade, HTTP2-Settings', 'Upgrade', 'h2c']
  const request = {
    method: 'POST',
    url: '/a?b',
    httpVersion: '1.1',
    rawHeaders: [...rawHeaders, 'HTTP2-Settings', 'x', 'X-A', '\xe4'],
  }
  t.equal(
    headWithoutUpgrade(request as unknown as IncomingMessage).toString('latin1'),
    'POST /a?b HTTP/1.1\r\nHost: a\r\nCONNECTION: keep-alive\r\nX-A: \xe4\r\n\r\n',
  )
  t.end()
})
