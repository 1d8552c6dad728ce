import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import express from 'express'
import t from 'tap'
import { adoptClient, clientFromHeader, hideIdentity } from '#src/worker/client-identity.js'
import { ask, jsonOf } from '../helpers/client.js'

function requestWith(headers: http.IncomingHttpHeaders): http.IncomingMessage {
  return Object.assign(new http.IncomingMessage(new net.Socket()), { headers })
}

void t.test('the client is who the balancer says it is', t => {
  for (const [header, client] of [
    ['http 192.0.2.1', { address: '192.0.2.1', protocol: 'http' }],
    ['https 2001:db8::1', { address: '2001:db8::1', protocol: 'https' }],
  ] as const) {
    t.strictSame(clientFromHeader(requestWith({ 'x-outpost-client': header })), client)
  }
  t.end()
})

void t.test('a request of which the balancer says nothing is its own, a probe', t => {
  t.strictSame(clientFromHeader(requestWith({})), { address: '127.0.0.1', protocol: 'http' })
  t.end()
})

void t.test('the header is out of sight afterwards, and no other is', t => {
  const read = requestWith({ host: 'a.example', 'x-outpost-client': 'http 192.0.2.1' })
  clientFromHeader(read)
  t.strictSame(read.headers, { host: 'a.example' })
  const unread = requestWith({ host: 'a.example', 'x-outpost-client': 'http 192.0.2.1' })
  hideIdentity(unread)
  t.strictSame(unread.headers, { host: 'a.example' })
  t.end()
})

void t.test('an Express app sees each client as itself, though all come by one connection', async t => {
  const app = express()
  app.get('/', ({ ip, protocol, secure, socket }, response) => {
    const { remoteAddress, remoteFamily, remotePort } = socket
    response.json({ ip, protocol, secure, remoteAddress, remoteFamily, remotePort })
  })
  const server = http.createServer((request, response) => {
    adoptClient(request, clientFromHeader(request))
    app(request, response)
  })
  let connections = 0
  server.on('connection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => {
    agent.destroy()
    server.close()
  })
  const base = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`
  for (const [header, remoteFamily] of [
    ['https 192.0.2.1', 'IPv4'],
    ['http 2001:db8::1', 'IPv6'],
    ['http 192.0.2.2', 'IPv4'],
  ] as const) {
    const [protocol, ip] = header.split(' ')
    const seen = jsonOf(await ask(base, '/', { agent, headers: { 'x-outpost-client': header } }))
    t.match(seen, { ip, protocol, secure: protocol === 'https', remoteAddress: ip, remoteFamily })
  }
  t.equal(connections, 1)
})
