import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { RawConnection, requestBytes, type RawResponse } from '../helpers/raw-http.js'
import { MODES } from '../helpers/modes.js'

interface Case {
  bytes: string
  /** Sent after "100 Continue". */
  body?: string
  head?: boolean
}

const cases: Record<string, Case> = {
  '102 and 103 before the answer': { bytes: requestBytes('GET /early') },
  'trailers of an answer': { bytes: requestBytes('GET /trailer') },
  'an X-Request-Id of the app': { bytes: requestBytes('GET /id') },
  'a 426 with its Upgrade': { bytes: requestBytes('GET /upgrade') },
  'a Content-Length in characters': { bytes: requestBytes('GET /characters') },
  'a Content-Length in characters, for a POST': { bytes: requestBytes('POST /characters', [], 'a') },
  'HEAD, with a length': { bytes: requestBytes('HEAD /head'), head: true },
  'an answer with a length, in two pieces': { bytes: requestBytes('GET /whole-stream') },
  'headers of 60 kB': { bytes: requestBytes('GET /long') },
  'a head in pairs': { bytes: requestBytes('GET /pairs') },
  'a head in a list': { bytes: requestBytes('GET /list') },
  'an X-Request-Id of the app in a list': { bytes: requestBytes('GET /own-list') },
  'headers that are set before the app answers': { bytes: requestBytes('GET /set') },
  'what the app puts on a socket when it connects': { bytes: requestBytes('GET /mark') },
  'the local address of a socket': { bytes: requestBytes('GET /address') },
  'a request that a tool measures, once': { bytes: requestBytes('GET /measured') },
  'two Content-Type headers': { bytes: requestBytes('GET /type', ['Content-Type: a/b', 'Content-Type: c/d']) },
  'names in their letters': { bytes: requestBytes('GET /letters', ['X-LETTERS: 1', 'X-LETTERS: 2', 'X-Last: 3']) },
  'two Cookie headers': { bytes: requestBytes('GET /cookies', ['Cookie: a=1', 'cookie: b=2']) },
  'two Cookie headers and a body': {
    bytes: requestBytes('POST /cookies', ['Cookie: a=1', 'cookie: b=2'], 'x'.repeat(100_000)),
  },
  'HTTP/1.0 without a Host': { bytes: 'GET /host HTTP/1.0\r\nX-A: b\r\n\r\n' },
  'HTTP/1.0 with a Host': { bytes: 'GET /host HTTP/1.0\r\nHost: localhost\r\nX-A: b\r\n\r\n' },
  'HTTP/1.0 with a body and without a Host': {
    bytes: `POST /host HTTP/1.0\r\nX-A: b\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
  },
  'HTTP/1.0': { bytes: 'GET /version HTTP/1.0\r\nHost: a\r\n\r\n' },
  'HTTP/1.0 with a body': {
    bytes: `POST /version HTTP/1.0\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
  },
  'HTTP/1.1': { bytes: requestBytes('GET /version') },
  'an absolute target': { bytes: requestBytes('GET http://a.example/b?c') },
  'OPTIONS *': { bytes: requestBytes('OPTIONS *') },
  'a DELETE without a body': { bytes: requestBytes('DELETE /body') },
  'a body that the app asks for': {
    bytes: 'POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
    body: 'abc',
  },
  'a body that the app does not want': {
    bytes: 'POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n',
  },
  'trailers of a request': {
    bytes: `${requestBytes('POST /body', ['Transfer-Encoding: chunked', 'Trailer: X-Sum'])}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`,
  },
  'a head of 15 kB': { bytes: requestBytes(`GET /${'a'.repeat(15_000)}`) },
}

/** The edge numbers answers, and dates and connections are each server's own. */
const OF_THE_SERVER = new Set(['x-request-id', 'date', 'connection', 'keep-alive', 'transfer-encoding'])

function comparable({ status, reason, headers, body, whole }: RawResponse): unknown[] {
  const own = Object.entries(headers).filter(([name, value]) => !OF_THE_SERVER.has(name) || value === 'of-the-app')
  return [status, reason, own, body.toString('latin1'), whole]
}

async function answersOf(port: number, { bytes, body, head = false }: Case): Promise<unknown[]> {
  const client = await RawConnection.open(port)
  const answers = []
  try {
    client.write(bytes)
    for (;;) {
      const answer = await client.response({ head })
      answers.push(comparable(answer))
      if (answer.status === 100 && body !== undefined) client.write(body)
      if (answer.status >= 200) break
    }
    if (bytes.startsWith('GET /trailer')) answers.push((await trailerOf(client)).toString())
    return answers
  } finally {
    client.destroy()
  }
}

/** The end of a body in chunks, after the last one. */
async function trailerOf(client: RawConnection): Promise<Buffer> {
  await until(() => client.unread.toString().endsWith('\r\n\r\n'), 'the end of the trailers')
  return client.unread
}

/** The part of an answer that has arrived when its connection ends, though more was announced. */
async function unfinished(port: number, path: string): Promise<string> {
  const client = await RawConnection.open(port)
  await client.write(requestBytes(`GET ${path}`)).closed
  return client.unread.toString().split('\r\n\r\n').at(1) ?? ''
}

async function peerOf(port: number): Promise<[string, string]> {
  const client = await RawConnection.open(port, '127.0.0.9')
  const seen = (await client.write(requestBytes('GET /peer')).response()).body.toString()
  const own = `127.0.0.9 ${client.socket.localPort} IPv4 127.0.0.1 ${port}`
  client.destroy()
  return [seen, own]
}

async function firstByteComesFirst(port: number): Promise<string> {
  const slow = await RawConnection.open(port)
  slow.write(requestBytes('GET /slow'))
  await until(() => slow.unread.toString().endsWith('\r\n\r\na'), 'the first byte')
  const other = await RawConnection.open(port)
  await other.write(requestBytes('GET /finish')).response()
  const { body } = await slow.response()
  slow.destroy()
  other.destroy()
  return body.toString()
}

void t.test('HTTP is as under plain node, in default mode and in mesh mode', async t => {
  const plain = await PlainNode.start(t, ['http.cjs'])
  const expected = new Map<string, unknown[]>()
  for (const [name, each] of Object.entries(cases)) expected.set(name, await answersOf(plain.port, each))
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    await t.test(mode, async t => {
      const cluster = await Cluster.start(t, { APP: 'http.cjs', WORKERS: '1', BALANCERS }, undefined, strangers)
      for (const [name, each] of Object.entries(cases)) {
        t.strictSame(await answersOf(cluster.port, each), expected.get(name), name)
      }
      const [seen, own] = await peerOf(cluster.port)
      t.equal(seen, own, 'the address and port of the client, and those that it asked')
      t.equal(await firstByteComesFirst(cluster.port), 'ab', 'the first byte of a short answer')
      const short = await Promise.all(['piece', 'set', 'stream'].map(how => unfinished(cluster.port, `/short-${how}`)))
      t.strictSame(short, ['short', 'short', 'short'], 'an answer that is shorter than its length ends')
      t.match(await cluster.stop(), { code: 0 })
    })
  }
})
