import http from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { edgeToTell, showServer } from '#src/worker/shown-server.js'

void t.test('an app sees its own server, and the edge is told of the connection', async t => {
  const [edge, app, next] = [http.createServer(), http.createServer(), http.createServer()]
  const connection = Object.assign(new Socket(), { server: edge })
  for (const server of [app, next]) {
    showServer(server, connection)
    t.equal(connection.server, server)
    t.equal(edgeToTell('clientError', [new Error('broken'), connection]), edge)
    t.equal(edgeToTell('timeout', [connection]), edge)
  }
  t.equal(edgeToTell('request', [connection]), undefined, 'a request is for the app')
})

void t.test("a connection that the app's server has accepted itself stays its own", async t => {
  const app = http.createServer()
  const connection = Object.assign(new Socket(), { server: app })
  showServer(app, connection)
  t.equal(edgeToTell('timeout', [connection]), undefined)
})
