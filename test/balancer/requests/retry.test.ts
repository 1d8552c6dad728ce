import t from 'tap'
import { maySendAgain, judgeRetry, RetryBudget, type RetryVerdict, type TryFacts } from '#balancer/requests/retry.js'

const facts: TryFacts = { failure: 'reset', repeatable: true, targetGone: false, failedTries: 1, retries: 2 }

const verdicts: [sentence: string, given: Partial<TryFacts>, verdict: RetryVerdict][] = [
  ['a failed connect is retried for free', { failure: 'connect' }, 'free'],
  ['a failed connect of a POST is retried too', { failure: 'connect', repeatable: false }, 'free'],
  ['a failed connect is not retried when the tries are used up', { failure: 'connect', failedTries: 3 }, 'no'],
  [
    'a failed connect to a dead process is retried without limit',
    { failure: 'connect', failedTries: 9, targetGone: true },
    'free',
  ],
  ['a reset is retried on the budget', {}, 'budget'],
  ['a reset is retried a last time', { failedTries: 2 }, 'budget'],
  ['a reset is not retried when the tries are used up', { failedTries: 3 }, 'no'],
  ['a reset of a request that is not repeatable is not retried', { repeatable: false }, 'no'],
  ['a reset by a dying process does not make a request repeatable', { repeatable: false, targetGone: true }, 'no'],
  ['a reset by a dying process is retried without limit', { targetGone: true, failedTries: 9 }, 'free'],
  ['a target that went down is no limit to retries', { failure: 'down', failedTries: 9 }, 'free'],
  ['a target that went down does not make a request repeatable', { failure: 'down', repeatable: false }, 'no'],
  ['a timeout is not retried', { failure: 'timeout' }, 'no'],
  ['a timeout is not retried, even if the process is dead', { failure: 'timeout', targetGone: true }, 'no'],
]

for (const [sentence, given, verdict] of verdicts) {
  void t.test(`${sentence}: ${verdict}`, t => {
    t.equal(judgeRetry({ ...facts, ...given }), verdict)
    t.end()
  })
}

void t.test('only safe methods and requests with an idempotency key may be sent twice', t => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) t.ok(maySendAgain({ method, headers: {} }), method)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'get', undefined])
    t.notOk(maySendAgain({ method, headers: {} }))
  t.ok(maySendAgain({ method: 'POST', headers: { 'idempotency-key': 'a key' } }))
  t.notOk(maySendAgain({ method: 'POST', headers: { 'idempotency-key': '' } }), 'an empty key does not count')
  t.end()
})

void t.test('the retry budget always allows a few retries a second', t => {
  const budget = new RetryBudget(0.2, 3)
  t.same(
    [0, 1, 2, 3].map(now => budget.take(now)),
    [true, true, true, false],
  )
  t.ok(budget.take(1_000), 'the next second')
  t.end()
})

void t.test('the retry budget grows with the requests of the last ten seconds', t => {
  const budget = new RetryBudget(0.2, 0)
  t.notOk(budget.take(0))
  for (let i = 0; i < 50; i += 1) budget.recordRequest(i * 100)
  const taken = Array.from({ length: 20 }, () => budget.take(5_000)).filter(Boolean)
  t.equal(taken.length, 10)
  t.notOk(budget.take(9_999), 'retries count for as long as requests')
  for (let i = 0; i < 5; i += 1) budget.recordRequest(15_000)
  t.ok(budget.take(15_000), 'a new window: one in five')
  t.notOk(budget.take(15_000))
  t.notOk(budget.take(60_000))
  t.end()
})
