import net from 'node:net'
import t from 'tap'
import { Probe } from '#balancer/targets/probe.js'
import { socketPathFor } from '../../helpers/fake-target.js'

const options = { identityKey: 'key', healthPath: '/health', healthyBelow: 500, healthTimeoutMs: 60_000 }

void t.test('the status of a probe may come in pieces, and after early ones', async t => {
  const path = socketPathFor(t)
  const early = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
  const answers = [`${early}HTTP/1.1 503 Not now\r\n\r\n`, `${early}HTTP/1.1 204 \r\n\r\n`, 'not HTTP']
  const server = net.createServer(socket => {
    const answer = answers.shift()
    if (answer === undefined) return void socket.destroy()
    for (const byte of answer) socket.write(byte)
    socket.end()
  })
  await new Promise<void>(resolve => server.listen(path, resolve))
  t.teardown(() => server.close())
  const faults: unknown[] = []
  for (let i = 0; i < 3; i += 1) faults.push(await new Probe(path, options).fault)
  t.strictSame(faults, ['GET /health was answered 503', undefined, 'GET /health was not answered'])
})
