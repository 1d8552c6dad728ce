import http, { type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { nameAnswer } from '#balancer/contract/request-id.js'
import { ask } from '../../helpers/client.js'

async function idOf(t: Test, answer: (response: ServerResponse) => void): Promise<unknown> {
  const server = http.createServer((_request, response) => {
    nameAnswer(response, 'id-1')
    answer(response)
  })
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { headers } = await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '/')
  return headers['x-request-id']
}

const heads: Record<string, (response: ServerResponse) => void> = {
  'no head': () => undefined,
  'a status': response => response.writeHead(200),
  'an object of headers': response => response.writeHead(200, { 'x-a': '1' }),
  'names and values in turn': response => response.writeHead(200, 'Fine', ['x-a', '1']),
  pairs: response => response.writeHead(200, [['x-a', '1']] as never),
}

void t.test('an answer has the id of its request, however its head is written', async t => {
  for (const [name, writeHead] of Object.entries(heads)) {
    const id = await idOf(t, response => {
      writeHead(response)
      response.end('a')
    })
    t.equal(id, 'id-1', name)
  }
})

void t.test('an id that the app has named stays', async t => {
  t.equal(await idOf(t, response => response.setHeader('x-request-id', 'own').end()), 'own')
  t.equal(await idOf(t, response => response.writeHead(200, ['x-request-ID', 'own']).end()), 'own')
})
