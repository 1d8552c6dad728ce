import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection } from '../helpers/raw-http.js'

const PATHS = ['/destroy', '/finish', '/end', '/raw']
const ROUNDS = 10
const PIECE = Buffer.alloc(65_536, 'x')
const PIECES = 300

/** The status for a client that sends its body on until it is answered; undefined if the answer is lost. */
async function answerTo(port: number, path: string): Promise<number | undefined> {
  const client = await RawConnection.open(port)
  client.socket.on('error', () => undefined)
  client.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${PIECE.length * PIECES}\r\n\r\n`)
  const answer = client.response().then(
    ({ status }) => status,
    () => undefined,
  )
  for (let i = 0; i < PIECES && client.unread.length === 0 && !client.ended; i += 1) {
    client.write(PIECE)
    await new Promise(resolve => setImmediate(resolve))
  }
  try {
    return await answer
  } finally {
    client.destroy()
  }
}

async function answersOf(port: number): Promise<Set<number | undefined>> {
  const seen = new Set<number | undefined>()
  for (const path of PATHS) for (let i = 0; i < ROUNDS; i += 1) seen.add(await answerTo(port, path))
  return seen
}

void t.test('an app may refuse a body and close while its client sends', async t => {
  const plain = await PlainNode.start(t, ['refuses-bodies.cjs'])
  const expected = await answersOf(plain.port)
  t.ok(expected.has(413), 'plain node delivers the answer, or loses it')

  await t.test('in default mode the answer is always delivered', async t => {
    const cluster = await Cluster.start(t, { APP: 'refuses-bodies.cjs', WORKERS: '1' }, undefined, strangers)
    t.strictSame([...(await answersOf(cluster.port))], [413])
    t.match(await cluster.stop(), { code: 0 })
  })

  await t.test('in mesh mode it is delivered or lost as under plain node', async t => {
    const env = { APP: 'refuses-bodies.cjs', WORKERS: '1', BALANCERS: '0' }
    const cluster = await Cluster.start(t, env, undefined, strangers)
    const seen = await answersOf(cluster.port)
    seen.delete(undefined)
    t.strictSame([...seen], [413])
    t.match(await cluster.stop(), { code: 0 })
  })
})
