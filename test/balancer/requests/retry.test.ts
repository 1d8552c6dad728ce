import t from 'tap'
import { isRepeatable, judgeRetry, RetryBudget, type RetryVerdict, type TryFacts } from '#balancer/requests/retry.js'

const facts: TryFacts = { failure: 'reset', repeatable: true, targetGone: false, failedTries: 1, retries: 2 }

const verdicts: [sentence: string, given: Partial<TryFacts>, verdict: RetryVerdict][] = [
  ['nothing was sent: tried again, free of charge', { failure: 'connect' }, 'free'],
  ['nothing was sent: a POST as well', { failure: 'connect', repeatable: false }, 'free'],
  ['nothing was sent, but the tries are used up', { failure: 'connect', failedTries: 3 }, 'no'],
  [
    'nothing was sent and the process is gone: no limit',
    { failure: 'connect', failedTries: 9, targetGone: true },
    'free',
  ],
  ['broken after sending: on the budget', {}, 'budget'],
  ['broken after sending, last try', { failedTries: 2 }, 'budget'],
  ['broken after sending, tries used up', { failedTries: 3 }, 'no'],
  ['broken after sending, not repeatable', { repeatable: false }, 'no'],
  ['not repeatable, the process gone', { repeatable: false, targetGone: true }, 'no'],
  ['broken by the exit of the process', { targetGone: true, failedTries: 9 }, 'free'],
  ['the target went down while it waited', { failure: 'down', failedTries: 9 }, 'free'],
  ['the target went down, not repeatable', { failure: 'down', repeatable: false }, 'no'],
  ['too slow', { failure: 'timeout' }, 'no'],
  ['too slow, the process gone', { failure: 'timeout', targetGone: true }, 'no'],
]

for (const [sentence, given, verdict] of verdicts) {
  void t.test(`${sentence}: ${verdict}`, t => {
    t.equal(judgeRetry({ ...facts, ...given }), verdict)
    t.end()
  })
}

void t.test('only safe methods and requests with a key may be sent twice', t => {
  for (const method of ['GET', 'HEAD', 'OPTIONS']) t.ok(isRepeatable(method, undefined), method)
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'get', undefined]) t.notOk(isRepeatable(method, undefined))
  t.ok(isRepeatable('POST', 'a key'))
  t.notOk(isRepeatable('POST', ''), 'an empty key is none')
  t.end()
})

void t.test('the budget always allows a few tries a second', t => {
  const budget = new RetryBudget(0.2, 3)
  t.same(
    [0, 1, 2, 3].map(now => budget.take(now)),
    [true, true, true, false],
  )
  t.ok(budget.take(1_000), 'the next second')
  t.end()
})

void t.test('beyond that, a share of the requests of the last ten seconds', t => {
  const budget = new RetryBudget(0.2, 0)
  t.notOk(budget.take(0))
  for (let i = 0; i < 50; i += 1) budget.recordRequest(i * 100)
  const taken = Array.from({ length: 20 }, () => budget.take(5_000)).filter(Boolean)
  t.equal(taken.length, 10)
  t.notOk(budget.take(9_999), 'the tries of the window count as long as its requests')
  for (let i = 0; i < 5; i += 1) budget.recordRequest(15_000)
  t.ok(budget.take(15_000), 'a new window: one in five')
  t.notOk(budget.take(15_000))
  t.notOk(budget.take(60_000))
  t.end()
})
