import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'

const APP = 'leaves-bodies.cjs'
const BODY = Buffer.alloc(3_000_000)

/** A client sends a body that the app does not read, and leaves with its answer. */
async function answerTo(url: string): Promise<string> {
  const agent = new Agent({ keepAlive: true })
  try {
    const sent = request(url, { agent, method: 'POST', headers: { 'content-length': BODY.length } }).end(BODY)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return await text(answer)
  } finally {
    agent.destroy()
  }
}

async function answersOf(url: string): Promise<string[]> {
  const answers = []
  for (const path of ['/web', '/iterator', '/piece']) answers.push(await answerTo(url + path))
  return answers
}

void t.test(
  'an app that does not read bodies which it has answered ends nearly as soon as under plain node',
  async t => {
    const plain = await PlainNode.start(t, [APP])
    const expected = await answersOf(plain.url)
    t.equal(await plain.end('SIGTERM'), 0)
    for (const [mode, BALANCERS] of Object.entries(MODES)) {
      // A worker or a balancer that waits fails the test by its own deadline.
      const env = { APP, BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '600000' }
      const cluster = await Cluster.start(t, env, undefined, strangers)
      t.strictSame(await answersOf(cluster.url), expected, mode)
      await cluster.reload()
      t.strictSame(await answersOf(cluster.url), expected, mode)
      t.match(await cluster.stop(), { code: 0 }, mode)
    }
  },
)
