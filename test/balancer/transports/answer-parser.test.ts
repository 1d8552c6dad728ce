import t from 'tap'
import { AnswerParser, MAX_HEAD_BYTES } from '#balancer/transports/answer-parser.js'

interface Found {
  interim: number[]
  status: number | undefined
  reason: string | undefined
  rawHeaders: string[]
  body: string
  /** Undefined as long as the end has not come. */
  trailers: string[] | undefined
  fault: string | undefined
  reusable: boolean
}

interface Read {
  toHead?: boolean
  /** The connection ends after the bytes. */
  ends?: boolean
  /** How many bytes come at a time. */
  step?: number
}

function read(text: string, { toHead = false, ends = false, step = Infinity }: Read = {}): Found {
  const found = { interim: [], rawHeaders: [], body: '', trailers: undefined } as unknown as Found
  const parser = new AnswerParser()
  parser.expect(toHead, {
    interimFound: ({ statusCode }) => found.interim.push(statusCode),
    headFound: ({ statusCode, statusMessage, rawHeaders }) => {
      Object.assign(found, { status: statusCode, reason: statusMessage, rawHeaders })
    },
    bodyFound: piece => (found.body += piece.toString('latin1')),
    endFound: trailers => (found.trailers = trailers),
  })
  const bytes = Buffer.from(text, 'latin1')
  try {
    for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, Math.min(bytes.length, at + step)))
    if (ends) parser.finish()
  } catch (error) {
    found.fault = (error as Error).message
  }
  found.reusable = parser.reusable
  return found
}

const OK = 'HTTP/1.1 200 OK\r\n'

const right: Record<string, { bytes: string; options?: Read; expected: Partial<Found> }> = {
  'a length': {
    bytes: `${OK}Content-Length: 5\r\nX-Mixed: \t a b \t\r\nx-mixed:c\r\n\r\nhello`,
    expected: {
      status: 200,
      reason: 'OK',
      rawHeaders: ['Content-Length', '5', 'X-Mixed', 'a b', 'x-mixed', 'c'],
      body: 'hello',
      reusable: true,
    },
  },
  'no body': { bytes: `${OK}Content-Length: 0\r\n\r\n`, expected: { body: '', reusable: true } },
  'a status without words': { bytes: 'HTTP/1.1 204\r\n\r\n', expected: { status: 204, reason: '', reusable: true } },
  'a status with empty words': { bytes: 'HTTP/1.1 304 \r\n\r\n', expected: { status: 304, reason: '' } },
  'several cookies': {
    bytes: `${OK}Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n`,
    expected: { rawHeaders: ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Length', '0'] },
  },
  'bytes beyond ASCII': {
    bytes: `HTTP/1.1 200 \xd6K\r\nX-Name: \xe4\xff\r\nContent-Length: 0\r\n\r\n`,
    expected: { reason: '\xd6K', rawHeaders: ['X-Name', '\xe4\xff', 'Content-Length', '0'] },
  },
  'an empty value': { bytes: `${OK}X-None:\r\nContent-Length: 0\r\n\r\n`, expected: { reusable: true } },
  chunks: {
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;name=value\r\n, my world\r\n0\r\n\r\n`,
    expected: { body: 'hello, my world', reusable: true },
  },
  trailers: {
    bytes: `${OK}Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n`,
    expected: { body: 'a', trailers: ['X-Sum', '1', 'X-More', '2'], reusable: true },
  },
  'interim answers': {
    bytes: `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 1\r\n\r\na`,
    expected: { interim: [102, 103], status: 200, body: 'a', reusable: true },
  },
  'an answer to HEAD': {
    bytes: `${OK}Content-Length: 5\r\n\r\n`,
    options: { toHead: true },
    expected: { body: '', reusable: true },
  },
  'a chunked answer to HEAD': {
    bytes: `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    options: { toHead: true },
    expected: { body: '', reusable: true },
  },
  '304 with a length': {
    bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    expected: { body: '', reusable: true },
  },
  'the end of the connection': {
    bytes: `${OK}X-A: b\r\n\r\nhello`,
    options: { ends: true },
    expected: { body: 'hello', reusable: false },
  },
  'Connection: close': {
    bytes: `${OK}Connection: x-a, Close\r\nContent-Length: 1\r\n\r\na`,
    expected: { body: 'a', reusable: false },
  },
  'HTTP/1.0': { bytes: 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na', expected: { body: 'a', reusable: false } },
}

for (const [what, { bytes, options = {}, expected }] of Object.entries(right)) {
  void t.test(`an answer is read, however its bytes arrive: ${what}`, t => {
    for (const step of [Infinity, 1, 2, 3, 7]) {
      const found = read(bytes, { ...options, step })
      t.match(found, { trailers: [], ...expected }, `${step} bytes at a time`)
      t.equal(found.fault, undefined)
    }
    t.end()
  })
}

const wrong: Record<string, string> = {
  'no status line': 'hello\r\n\r\n',
  'HTTP/2': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  'another minor version': 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n',
  'a status below 100': 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n',
  'a status with a sign': 'HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n',
  'two spaces before the status': 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n',
  'a NUL in the status line': 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n',
  'an empty line before it': `\r\n${OK}Content-Length: 0\r\n\r\n`,
  'a length and chunks': `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunks and a length': `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  'chunks of HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two lengths': `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  'a list of lengths': `${OK}Content-Length: 5, 5\r\n\r\nhello`,
  'a length with a sign': `${OK}Content-Length: +5\r\n\r\nhello`,
  'a negative length': `${OK}Content-Length: -1\r\n\r\n`,
  'a hexadecimal length': `${OK}Content-Length: 0x5\r\n\r\nhello`,
  'an empty length': `${OK}Content-Length:\r\n\r\n`,
  'a length that no number holds': `${OK}Content-Length: 9007199254740993\r\n\r\n`,
  'two codings': `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'another coding': `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'a folded header': `${OK}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
  'a line feed alone after a header': `${OK}X-A: b\nContent-Length: 0\r\n\r\n`,
  'line feeds alone': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  'a carriage return in a value': `${OK}X-A: b\rc\r\nContent-Length: 0\r\n\r\n`,
  'a NUL in a value': `${OK}X-A: b\0c\r\nContent-Length: 0\r\n\r\n`,
  'a control character in a value': `${OK}X-A: b\x01c\r\nContent-Length: 0\r\n\r\n`,
  'a NUL in a name': `${OK}X-\0: b\r\nContent-Length: 0\r\n\r\n`,
  'a space before the colon': `${OK}X-A : b\r\nContent-Length: 0\r\n\r\n`,
  'no colon': `${OK}X-A\r\nContent-Length: 0\r\n\r\n`,
  'no name': `${OK}: b\r\nContent-Length: 0\r\n\r\n`,
  'a size that is no number': `${OK}Transfer-Encoding: chunked\r\n\r\nz\r\nhello\r\n0\r\n\r\n`,
  'an empty size': `${OK}Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n`,
  'a size with a sign': `${OK}Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n`,
  'a size with a space before it': `${OK}Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n`,
  'a size that no number holds': `${OK}Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n`,
  'a size after a line feed alone': `${OK}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`,
  'an endless size': `${OK}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(300)}\r\nhello\r\n0\r\n\r\n`,
  'a chunk longer than its size': `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`,
  'a folded trailer': `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n c\r\n\r\n`,
  'a trailer with a NUL': `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: \0\r\n\r\n`,
  'a switch of protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
  'an interim answer with a body': 'HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello',
  'a head that is too long': `${OK}X-A: ${'b'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`,
}

for (const [what, bytes] of Object.entries(wrong)) {
  void t.test(`an answer is a fault, however its bytes arrive: ${what}`, t => {
    for (const step of bytes.length > MAX_HEAD_BYTES ? [Infinity, 65_536] : [Infinity, 1, 2, 3]) {
      const found = read(bytes, { step })
      t.type(found.fault, 'string', `${step} bytes at a time`)
      t.equal(found.trailers, undefined, 'its end was not found')
    }
    t.end()
  })
}

void t.test('bytes after the end of an answer are a fault, and the answer is whole', t => {
  const ends = [`Content-Length: 2\r\n\r\nok`, 'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n']
  for (const end of ends) {
    for (const extra of ['x', '\r\n', `${OK}Content-Length: 0\r\n\r\n`]) {
      const found = read(OK + end + extra)
      t.match(found, { body: 'ok', trailers: [], fault: /after the end/ })
    }
  }
  t.end()
})

void t.test('an end of the connection within an answer is a fault', t => {
  const whole = `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n`
  for (let length = 0; length < whole.length; length += 1) {
    t.match(read(whole.slice(0, length), { ends: true }), { trailers: undefined, fault: /ended/ }, `${length} bytes`)
  }
  t.match(read(`${OK}Content-Length: 5\r\n\r\nhell`, { ends: true }), { trailers: undefined, fault: /ended/ })
  t.end()
})
