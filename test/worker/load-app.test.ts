import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ListenTakeover } from '#src/worker/listen-takeover.js'
import { AppError, loadApp } from '#src/worker/load-app.js'
import { FakeClock } from '../helpers/fake-clock.js'
import { socketPathFor } from '../helpers/fake-target.js'
import { fixture } from '../helpers/fixtures.js'
import { temporaryFolder } from '../helpers/harness.js'
import { rawExchange, requestBytes } from '../helpers/raw-http.js'

const lent = { greeting: 'Hello World!' }

/** Loads as a worker does, and starts the server if the app has not. */
async function load(t: Test, path: string, complaints: string[] = []): Promise<{ text: string; settled: boolean }> {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- put back as it was
  const { listen } = net.Server.prototype
  t.teardown(() => (net.Server.prototype.listen = listen))
  const socketPath = socketPathFor(t)
  const takeover = new ListenTakeover({ socketPath, publicPort: 3_000 })
  takeover.install()
  const server = await loadApp(path, lent, takeover, { error: message => complaints.push(message) })
  t.teardown(() => server.close())
  const settled = !takeover.hasTaken
  if (!server.listening) await once(server.listen({ path: socketPath }), 'listening')
  const { body } = await rawExchange(socketPath, requestBytes('GET /', ['Connection: close']))
  return { text: body.toString(), settled }
}

/** Path of a module with this source. */
function written(t: Test, ...lines: string[]): string {
  const path = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(path, lines.join('\n'))
  return path
}

const HANDLER = '(request, response) => response.end("Hello World!")'

for (const name of ['handler-app.js', 'server-app.js', 'exported-app.js', 'commonjs-app.cjs']) {
  void t.test(`a module that exports an app is loaded: ${name}`, async t => {
    t.strictSame(await load(t, fixture(name)), { text: 'Hello World!', settled: true })
  })
}

const sources: Array<[what: string, source: string]> = [
  ['makes an app of what it is lent', 'export default lent => (request, response) => response.end(lent.greeting)'],
  ['takes its time to make one', `export default async lent => { await null; return ${HANDLER} }`],
  ['makes a server', `import http from 'node:http'; export default () => http.createServer(${HANDLER})`],
  ['is a promise of one', `export default Promise.resolve(${HANDLER})`],
  [
    'is a promise of a server',
    `import http from 'node:http'; export default (async () => http.createServer(${HANDLER}))()`,
  ],
  ['was compiled from another kind of module', `export default { __esModule: true, default: ${HANDLER} }`],
  ['makes what was', `export default () => ({ __esModule: true, default: ${HANDLER} })`],
]

for (const [what, source] of sources) {
  void t.test(`a module is an app if it ${what}`, async t => {
    t.strictSame(await load(t, written(t, source)), { text: 'Hello World!', settled: true })
  })
}

const LISTENING = `import http from 'node:http'; const server = http.createServer(${HANDLER})`

const listeners: Array<[when: string, source: string]> = [
  ['while it is loaded', `${LISTENING}; server.listen(8080)`],
  ['a moment later', `${LISTENING}; setImmediate(() => server.listen(8080))`],
  ['when it is called', `${LISTENING}; export default () => void server.listen(8080)`],
  ['and exports another app as well', `${LISTENING}; server.listen(8080); export default (a, b) => b.end("other")`],
]

for (const [when, source] of listeners) {
  void t.test(`an app that listens ${when} is served with its own server`, async t => {
    t.strictSame(await load(t, written(t, source)), { text: 'Hello World!', settled: false })
  })
}

void t.test('loading ends once the app listens', async t => {
  const clock = new FakeClock(t)
  await load(t, written(t, `${LISTENING}; server.listen(8080)`))
  t.equal(clock.pending, 0)
})

void t.test('a module that throws is reported with its reason', async t => {
  for (const [path, reason] of [
    [fixture('broken-app.js'), /no database here/],
    [written(t, 'export default async () => { throw new Error("no luck") }'), /no luck/],
    [written(t, 'export default () => { throw "mere text" }'), /mere text/],
    [written(t, 'export default ('), /SyntaxError/],
    [join(temporaryFolder(t), 'none.js'), /Cannot find module/],
  ] as const) {
    const error: unknown = await load(t, path).catch((error: unknown) => error)
    t.ok(error instanceof AppError)
    const { message, cause } = error as AppError
    t.ok(message.startsWith(`APP=${path}: module threw while it was loaded: `), message)
    t.match(message, reason)
    t.ok(cause !== undefined)
  }
})

void t.test(
  'a module that neither is an app nor listens is told so after ten seconds, and may listen later',
  async t => {
    for (const [source, shown] of [
      ['export default 42', '42'],
      ['export default () => ({ app: true })', '{ app: true }'],
      ['export const app = 1', 'undefined'],
    ] as const) {
      const clock = new FakeClock(t)
      const complaints: string[] = []
      const listening = 'globalThis.listenNow = () => server.listen(8080)'
      const loading = load(t, written(t, `${LISTENING}; ${listening}`, source), complaints)
      while (clock.pending === 0) await new Promise(resolve => setImmediate(resolve))
      clock.advance(9_999)
      t.strictSame(complaints, [])
      clock.advance(1)
      t.match(complaints, [`app is not served yet: its default export is ${shown}, and it does not listen`])
      ;(globalThis as unknown as { listenNow(): void }).listenNow()
      t.strictSame(await loading, { text: 'Hello World!', settled: false })
    }
  },
)
