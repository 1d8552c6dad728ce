import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { SessionNames } from '#balancer/contract/session-names.js'
import { until } from '../helpers/deadline.js'
import { FakeTarget } from '../helpers/fake-target.js'
import type { Harness } from '../helpers/harness.js'
import { requestBytes } from '../helpers/raw-http.js'
import { RunningBalancer } from '../helpers/running-balancer.js'
import { echoWebSocket, UPGRADE_HEADERS } from '../helpers/websocket.js'

const identityKey = 'key'
const names = new SessionNames(identityKey)

/** A URL of the session that the target `owner` has. */
function urlOf(owner: string, path: string): string {
  const named = names.write('0{"sid":"lv_VI97HAXpY6yYWAAAC"}', owner)
  return `${path}?EIO=4&transport=polling&sid=${/"sid":"([^"]*)"/.exec(named)?.[1] ?? ''}`
}

/** The first part of the path names the target: `/a/page`. */
const get = (path: string): string => {
  const [, owner = '', ...rest] = path.split('/')
  return requestBytes(`GET ${owner === '' ? path : urlOf(owner, `/${rest.join('/')}`)}`)
}

/** Answers `/…/wait` when the test releases it, and anything else at once. */
async function targetThatWaits(t: Harness, name: string): Promise<FakeTarget> {
  const target: FakeTarget = await FakeTarget.start(t, name, (request, response: ServerResponse) => {
    const answer = (): void => void response.writeHead(200, { 'x-target': name }).end(name)
    if (request.url?.startsWith('/wait') === true) target.server.once('release', answer)
    else answer()
  })
  // Many requests wait at once.
  target.server.setMaxListeners(0)
  return target
}

async function three(t: Harness): Promise<FakeTarget[]> {
  return Promise.all(['a', 'b', 'c'].map(name => targetThatWaits(t, name)))
}

void t.test('a request goes to the target that it names, and other requests take turns', async t => {
  const running = await RunningBalancer.start(t, await three(t), { identityKey })
  const client = await running.connect()
  for (let i = 0; i < 5; i += 1) t.equal((await client.write(get('/b/page')).response()).headers['x-target'], 'b')
  const served = []
  for (let i = 0; i < 6; i += 1) served.push((await client.write(get('/')).response()).headers['x-target'])
  t.strictSame(served, ['a', 'b', 'c', 'a', 'b', 'c'])
})

void t.test('a request that names an unknown target goes to any target', async t => {
  const running = await RunningBalancer.start(t, await three(t), { identityKey })
  const client = await running.connect()
  t.equal((await client.write(get('/x/page')).response()).status, 200)
})

void t.test('a request whose target has just died goes to another', async t => {
  const [a, b, c] = await three(t)
  const running = await RunningBalancer.start(t, [a!, b!, c!], { identityKey })
  await b!.kill()
  const client = await running.connect()
  const answer = await client.write(get('/b/page')).response()
  t.equal(answer.status, 200)
  t.not(answer.headers['x-target'], 'b')
})

void t.test('a draining target still gets its own requests and is drained after the last one', async t => {
  const [a, b] = await three(t)
  const running = await RunningBalancer.start(t, [a!, b!], { identityKey })
  const waiting = await running.connect()
  waiting.write(requestBytes(`POST ${urlOf('a', '/wait')}`))
  await until(() => a!.requests.length === 1, 'the request to arrive')
  running.balancer.setTargets([{ ...a!.spec, draining: true }, b!.spec])
  const client = await running.connect()
  t.equal((await client.write(get('/a/page')).response()).headers['x-target'], 'a')
  for (let i = 0; i < 2; i += 1) t.equal((await client.write(get('/')).response()).headers['x-target'], 'b')
  t.strictSame(running.drained, [])
  const drained = once(running, 'drained')
  a!.server.emit('release')
  t.strictSame(await drained, ['a'])
  t.equal((await waiting.response()).body.toString(), 'a')
})

void t.test('requests that wait at their own target do not make it full', async t => {
  const [a] = await three(t)
  const running = await RunningBalancer.start(t, [a!], { identityKey, maxInFlight: 2 })
  const waiting = await Promise.all(Array.from({ length: 5 }, () => running.connect()))
  for (const client of waiting) client.write(get('/a/wait'))
  await until(() => a!.requests.length === 5, 'all of them to arrive')
  t.equal(running.balancer.ledger().inFlight, 5)
  const client = await running.connect()
  t.equal((await client.write(get('/')).response()).status, 200)
  a!.server.emit('release')
  for (const client of waiting) t.equal((await client.response()).status, 200)
  t.equal(running.balancer.ledger().inFlight, 0)
})

void t.test('a target takes at most `maxBound` requests of its own', async t => {
  const [a] = await three(t)
  const running = await RunningBalancer.start(t, [a!], { identityKey, maxBound: 1 })
  const waiting = await running.connect()
  waiting.write(get('/a/wait'))
  await until(() => a!.requests.length === 1, 'the request to arrive')
  const client = await running.connect()
  t.equal((await client.write(get('/a/page')).response()).status, 503)
  a!.server.emit('release')
  t.equal((await waiting.response()).status, 200)
})

void t.test('requests that wait at a removed target are tried elsewhere', async t => {
  const [a, b] = await three(t)
  const running = await RunningBalancer.start(t, [a!, b!], { identityKey })
  const client = await running.connect()
  client.write(get('/a/wait'))
  await until(() => a!.requests.length === 1, 'the request to arrive')
  running.balancer.setTargets([b!.spec])
  await until(() => b!.requests.length === 1, 'it to arrive at the other')
  b!.server.emit('release')
  t.equal((await client.response()).headers['x-target'], 'b')
})

void t.test('an upgrade goes to the target that it names, unless that target drains', async t => {
  const seen: string[] = []
  const targets = await Promise.all(
    ['a', 'b'].map(name =>
      FakeTarget.start(t, name, undefined, {
        onUpgrade: (request, socket, head) => {
          seen.push(name)
          echoWebSocket(request, socket, head)
        },
      }),
    ),
  )
  const running = await RunningBalancer.start(t, targets, { identityKey })
  const upgrade = async (): Promise<void> => {
    const client = await running.connect()
    t.equal((await client.write(requestBytes(`GET ${urlOf('a', '/socket')}`, UPGRADE_HEADERS)).response()).status, 101)
  }
  for (let i = 0; i < 3; i += 1) await upgrade()
  t.strictSame(seen, ['a', 'a', 'a'])
  running.balancer.setTargets(targets.map(({ spec }) => ({ ...spec, draining: spec.id === 'a' })))
  await upgrade()
  t.strictSame(seen, ['a', 'a', 'a', 'b'])
})

void t.test('the app gets the session id as it gave it, with any parameters of the client beside it', async t => {
  const [a, b] = await three(t)
  const running = await RunningBalancer.start(t, [a!, b!], { identityKey })
  const client = await running.connect()
  await client.write(get('/b/page')).response()
  t.equal(b!.requests[0]?.url, '/page?EIO=4&transport=polling&sid=lv_VI97HAXpY6yYWAAAC')
})

void t.test('an id that the edge has not made names no target', async t => {
  const running = await RunningBalancer.start(t, await three(t), { identityKey })
  const client = await running.connect()
  const good = urlOf('b', '/page')
  for (const url of [good.replace('sid=b', 'sid=c'), good.replace(/.$/, 'X'), '/page?EIO=4&sid=b.x', `${good}.x`]) {
    const served = []
    for (let i = 0; i < 3; i += 1) {
      served.push((await client.write(requestBytes(`GET ${url}`)).response()).headers['x-target'])
    }
    t.equal(new Set(served).size, 3, url)
  }
})

void t.test('the answer that opens a session names its target, and no other answer is changed', async t => {
  const opened = '0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"]}'
  const target = await FakeTarget.start(t, 'a', (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': opened.length }).end(opened)
  })
  const running = await RunningBalancer.start(t, [target], { identityKey })
  const client = await running.connect()
  const ask = async (url: string): Promise<string> =>
    (await client.write(requestBytes(`GET ${url}`)).response()).body.toString()
  t.equal(await ask('/any/?EIO=4&transport=polling'), names.write(opened, 'a'))
  for (const url of ['/any/?EIO=3&transport=polling', '/any/?transport=polling', '/?EIO=4&transport=polling&sid=x']) {
    t.equal(await ask(url), opened, url)
  }
})

void t.test('polls of a draining target are ended, so that their clients open sessions elsewhere', async t => {
  const [a, b] = await three(t)
  const running = await RunningBalancer.start(t, [a!, b!], { identityKey })
  const waiting = await Promise.all(Array.from({ length: 120 }, () => running.connect()))
  for (const client of waiting) client.write(get('/a/wait'))
  await until(() => a!.requests.length === 120, 'all of them to arrive')
  const drained = once(running, 'drained')
  running.balancer.setTargets([{ ...a!.spec, draining: true }, b!.spec])
  for (const client of waiting) t.match(await client.response(), { status: 200, body: Buffer.from('1') })
  t.strictSame(await drained, ['a'])
  await until(() => a!.requests.every(({ aborted }) => aborted), 'the end of the polls at the target')
})
