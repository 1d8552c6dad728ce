import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, rawExchange, requestBytes } from '../helpers/raw-http.js'

const APP = 'breaks-answers.cjs'

/** The body as it came, and whether it is whole. */
async function brokenAnswer(port: number): Promise<[string, boolean]> {
  const client = await RawConnection.open(port)
  client.write(requestBytes('GET /breaks'))
  await until(() => client.unread.includes('begun'), 'the beginning of the answer')
  await rawExchange(port, requestBytes('GET /break'))
  const { body, whole } = await client.response()
  client.destroy()
  return [body.toString(), whole]
}

void t.test(
  'an answer that the app breaks off with an error ends as under plain node, and blames no client',
  async t => {
    const plain = await PlainNode.start(t, [APP])
    const expected = await brokenAnswer(plain.port)
    t.strictSame(expected, ['begun', false])
    for (const [mode, BALANCERS] of Object.entries(MODES)) {
      const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1' }, undefined, strangers)
      t.strictSame(await brokenAnswer(cluster.port), expected, mode)
      t.match(await cluster.stop(), { code: 0 }, mode)
      t.strictSame(
        cluster.lines.filter(line => line.includes('"security"')),
        [],
        mode,
      )
    }
  },
)
