import http from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { announceConnection } from '#src/worker/connection-event.js'

void t.test("a connection is announced once to the app's listeners, and never to Node's own", async t => {
  const server = http.createServer()
  const heard: Socket[] = []
  server.on('connection', socket => heard.push(socket))
  const socket = new Socket()
  announceConnection(server, socket)
  announceConnection(server, socket)
  t.strictSame(heard, [socket])
  t.notOk((socket as Socket & { parser?: unknown }).parser, 'Node reads no requests from it')
})
