import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'

const APP = 'own-messages.cjs'
const AGENTS = ['User-Agent: a', 'User-Agent: b']

const requests = {
  'without a body': requestBytes('GET /a', AGENTS),
  'with a short body': requestBytes('POST /b', AGENTS, 'abc'),
  'with a long body': requestBytes('PUT /c', AGENTS, 'x'.repeat(200_000)),
  'to be continued': requestBytes('POST /d', [...AGENTS, 'Expect: 100-continue'], 'abc'),
  'for an upgrade': requestBytes('GET /e', [...AGENTS, 'Connection: Upgrade', 'Upgrade: x']),
}

async function answersOf(port: number): Promise<Record<string, string[]>> {
  const answers: Record<string, string[]> = {}
  for (const [name, bytes] of Object.entries(requests)) {
    const client = await RawConnection.open(port)
    client.write(bytes)
    let answer = await client.response()
    if (answer.status === 100) answer = await client.response()
    answers[name] = [String(answer.status), answer.body.toString(), String(answer.headers['x-whole'])]
    client.destroy()
  }
  return answers
}

void t.test('an app whose server makes its own messages gets them as under plain node', async t => {
  const plain = await PlainNode.start(t, [APP])
  const expected = await answersOf(plain.port)
  t.match(expected, { 'without a body': ['200', '["GET /a a, b",0,true]'] })
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    const cluster = await Cluster.start(t, { APP, BALANCERS }, undefined, strangers)
    t.strictSame(await answersOf(cluster.port), expected, mode)
    await cluster.reload()
    t.strictSame(await answersOf(cluster.port), expected, `${mode}, after a reload`)
    t.match(await cluster.stop(), { code: 0 }, mode)
  }
})
