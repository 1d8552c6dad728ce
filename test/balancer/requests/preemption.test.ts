import t from 'tap'
import { answerToPreempted, preemptedFor, type Preemptible } from '#balancer/requests/preemption.js'

const holding = (held: number): Preemptible['account'] => ({ places: { held } })
const NEWCOMER = holding(0)
const HOG = holding(20)

interface Held extends Preemptible {
  readonly name: string
}

/** @param head method, and a key if it is repeatable by it */
function request(name: string, keptPlaceMs: number, head: string, account = HOG): Held {
  const [method, key] = head.split(' ')
  return {
    name,
    account,
    keptPlaceMs,
    request: { method, headers: key === undefined ? {} : { 'idempotency-key': key } },
  }
}

const nameOf = (account: Preemptible['account'], arriving: Held[], awaiting: Held[]): string | undefined =>
  preemptedFor(account, arriving, awaiting)?.name

void t.test('a request whose body is on its way gives its place first, whatever its method', t => {
  const upload = request('upload', Infinity, 'POST')
  t.equal(nameOf(NEWCOMER, [upload], [request('poll', 60_000, 'GET')]), 'upload')
  t.equal(
    nameOf(NEWCOMER, [request('sent again', 900, 'POST')], []),
    undefined,
    'one that the app has is none of those',
  )
  t.end()
})

void t.test('a waiting request that its client may send again gives its place before others do', t => {
  for (const head of ['GET', 'HEAD', 'OPTIONS', 'POST key']) {
    const order = request('order', 60_000, 'POST', holding(40))
    t.equal(nameOf(NEWCOMER, [], [order, request('safe', 500, head)]), 'safe', head)
  }
  t.end()
})

void t.test(
  'a request that the app may have carried out gives its place after five seconds, if there is no other',
  t => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      t.equal(nameOf(NEWCOMER, [], [request('order', 4_999, method)]), undefined, `${method} is left to the app`)
      t.equal(nameOf(NEWCOMER, [], [request('order', 5_000, method)]), 'order', `${method} hangs`)
      const young = request('page', 499, 'GET')
      t.equal(nameOf(NEWCOMER, [], [request('order', 4_999, method), young]), undefined, 'nor is another cut too soon')
    }
    t.end()
  },
)

void t.test('only such a request is answered 504, which does not invite its client to send it again', t => {
  t.equal(answerToPreempted(request('order', 5_000, 'POST')), 'UPSTREAM_TIMEOUT')
  t.equal(answerToPreempted(request('page', 500, 'GET')), 'OVERLOADED')
  t.equal(answerToPreempted(request('keyed', 500, 'POST key')), 'OVERLOADED')
  t.equal(answerToPreempted(request('upload', Infinity, 'POST')), 'OVERLOADED', 'the app has not had all of it')
  t.end()
})

void t.test('the client that holds most gives, the oldest of its requests first', t => {
  const [some, most] = [holding(6), holding(9)]
  const waiting = [request('a', 900, 'GET', some), request('b', 800, 'GET', most), request('c', 700, 'GET', most)]
  t.equal(nameOf(NEWCOMER, [], waiting), 'b')
  const bodies = waiting.map(({ name, account }) => request(name, Infinity, 'POST', account))
  t.equal(nameOf(NEWCOMER, bodies, []), 'b')
  t.end()
})

void t.test('nobody gives to a client that would then hold more', t => {
  const own = request('body', Infinity, 'POST', holding(9))
  t.equal(nameOf(holding(8), [own], []), undefined)
  t.equal(nameOf(holding(7), [own], []), 'body')
  t.end()
})

void t.test(
  'a waiting request gives its place only to a client with little, and only if its own client has more',
  t => {
    const poll = request('poll', 60_000, 'GET', holding(5))
    t.equal(nameOf(holding(3), [], [poll]), 'poll')
    t.equal(nameOf(holding(4), [], [poll]), undefined, 'a client with four finds none')
    t.equal(
      nameOf(NEWCOMER, [], [request('poll', 60_000, 'GET', holding(4))]),
      undefined,
      'a client with four keeps them',
    )
    t.end()
  },
)
