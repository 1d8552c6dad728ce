import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import express from 'express'
import t from 'tap'
import { adoptClient, takeClient } from '#src/worker/client-identity.js'
import { ask, jsonOf } from '../helpers/client.js'

function requestWith(...rawHeaders: string[]): http.IncomingMessage {
  const headers = Object.fromEntries(
    rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]]] : [])),
  )
  return Object.assign(new http.IncomingMessage(new net.Socket()), { headers, rawHeaders })
}

void t.test('the client is the one that the envelope names', t => {
  for (const [says, client] of [
    ['http 4711 192.0.2.1', { address: '192.0.2.1', port: 4711, protocol: 'http' }],
    ['https 0 2001:db8::1', { address: '2001:db8::1', port: 0, protocol: 'https' }],
    ['http 1 192.0.2.1 192.0.2.9', { address: '192.0.2.1', localAddress: '192.0.2.9', isOld: undefined }],
    ['http 1 192.0.2.1 192.0.2.9 1.0', { address: '192.0.2.1', localAddress: '192.0.2.9', isOld: true }],
    ['http 1 192.0.2.1 - 1.0', { address: '192.0.2.1', localAddress: undefined, isOld: true }],
  ] as const) {
    t.match(takeClient(requestWith('X-Outpost-Client', `key ${says}`), 'key'), client)
  }
  t.end()
})

void t.test('a request without a valid envelope has no client', t => {
  t.equal(takeClient(requestWith('Host', 'a.example'), 'key'), undefined)
  t.equal(takeClient(requestWith('X-Outpost-Client', 'other http 0 127.0.0.1'), 'key'), undefined)
  t.end()
})

void t.test('the envelope is removed from the request, and nothing else is', t => {
  for (const key of ['key', 'another']) {
    const read = requestWith('Host', 'a.example', 'X-Outpost-Client', 'key http 0 192.0.2.1', 'Accept', '*/*')
    takeClient(read, key)
    t.strictSame(read.headers, { host: 'a.example', accept: '*/*' })
    t.strictSame(read.rawHeaders, ['Host', 'a.example', 'Accept', '*/*'])
  }
  t.end()
})

void t.test('a request keeps the connection of its client as long as that is one client’s own', t => {
  const client = { address: '192.0.2.1', port: 7, protocol: 'http' }
  const requests = Array.from({ length: 3 }, () => requestWith('Host', 'a.example'))
  const [{ socket }, second, third] = requests as [http.IncomingMessage, http.IncomingMessage, http.IncomingMessage]
  for (const request of requests) request.socket = socket
  for (const request of requests.slice(0, 2)) adoptClient(request, client)
  t.ok(requests.every(request => request.socket === socket))
  adoptClient(third, { ...client, address: '192.0.2.2' })
  t.not(second.socket, socket)
  t.equal(second.socket.remoteAddress, '192.0.2.1')
  t.equal(third.socket, socket)
  t.equal(third.socket.remoteAddress, '192.0.2.2')
  t.end()
})

void t.test('an Express app sees the client of each request on a shared connection', async t => {
  const app = express()
  app.get('/', ({ ip, protocol, secure, socket }, response) => {
    const { remoteAddress, remoteFamily, remotePort } = socket
    const encrypted = 'encrypted' in socket ? String(socket.encrypted) : 'absent'
    response.json({ ip, protocol, secure, encrypted, remoteAddress, remoteFamily, remotePort })
  })
  const server = http.createServer((request, response) => {
    const client = takeClient(request, 'key')
    if (client !== undefined) adoptClient(request, client)
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
    ['https 1 192.0.2.1', 'IPv4'],
    ['http 2 2001:db8::1', 'IPv6'],
    ['http 3 192.0.2.2', 'IPv4'],
  ] as const) {
    const [protocol, port, ip] = header.split(' ')
    const seen = jsonOf(await ask(base, '/', { agent, headers: { 'x-outpost-client': `key ${header}` } }))
    t.match(seen, {
      ip,
      protocol,
      secure: protocol === 'https',
      // As under node: sockets without TLS have no such property.
      encrypted: protocol === 'https' ? 'true' : 'absent',
      remoteAddress: ip,
      remoteFamily,
      remotePort: Number(port),
    })
  }
  t.equal(connections, 1)
})
