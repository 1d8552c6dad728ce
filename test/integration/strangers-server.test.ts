import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'

const APP = 'finds-its-server.cjs'

/** Whether the app finds its own server by a request, an upgrade, and a request that is to be continued. */
async function found(port: number): Promise<string[]> {
  const asked = await rawExchange(port, requestBytes('GET /'))
  const upgraded = await rawExchange(port, requestBytes('GET /', ['Connection: Upgrade', 'Upgrade: x']))
  const continued = await rawExchange(port, requestBytes('POST /', ['Expect: 100-continue', 'Connection: close'], 'a'))
  return [asked.body.toString(), String(upgraded.headers.own), continued.body.toString()]
}

void t.test('an app finds its own server by a request as under plain node', async t => {
  const plain = await PlainNode.start(t, [APP])
  const expected = await found(plain.port)
  t.strictSame(expected, ['true', 'true', 'true'])
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1' }, undefined, strangers)
    t.strictSame(await found(cluster.port), expected, mode)
    t.match(await cluster.stop(), { code: 0 }, mode)
  }
})

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  void t.test(`the edge answers a broken request on a connection whose server an app has seen, in ${mode}`, async t => {
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1' }, undefined, strangers)
    const connection = await RawConnection.open(cluster.port)
    t.match(await connection.write(requestBytes('GET /')).response(), { status: 200 })
    const refusal = await connection.write('GET\r\n\r\n').response()
    t.match(refusal, { status: 400, headers: { 'content-type': /problem\+json/ } })
    connection.destroy()
    t.match(await cluster.stop(), { code: 0 })
  })
}
