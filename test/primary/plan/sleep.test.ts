import t from 'tap'
import { awake, sleep, woken, type Activity, type ProcessActivity, type SleepState } from '#src/primary/plan/sleep.js'

const AFTER = 60_000

function activity(counts: Partial<ProcessActivity> = {}, other?: string): Activity {
  const all = { inFlight: 0, upgraded: 0, requests: 0, leases: [], ...counts }
  return { processes: new Map([['balancer 1', all]]), other }
}

/** The state after looks at these activities, one each second. */
function after(looks: readonly Activity[], state: SleepState = awake(0)): { state: SleepState; reasons: string[] } {
  const reasons: string[] = []
  looks.forEach((look, second) => {
    const decided = sleep(state, look, AFTER, second * 1_000)
    state = decided.state
    if (decided.reason !== undefined) reasons.push(decided.reason)
  })
  return { state, reasons }
}

const looks = (count: number, look: Activity): Activity[] => Array.from({ length: count }, () => look)

void t.test('workers end once no request has come for long enough, and that is reported once', t => {
  t.equal(after(looks(60, activity())).state.asleep, false)
  const { state, reasons } = after(looks(200, activity()))
  t.equal(state.asleep, true)
  t.strictSame(reasons, ['pool shrinks to 0 workers: there was no request for 60 s'])
  t.end()
})

const holders: Array<[counts: Partial<ProcessActivity>, other: string | undefined, heldBy: string]> = [
  [{ inFlight: 1 }, undefined, 'a request is in flight'],
  [{ upgraded: 2 }, undefined, 'a WebSocket or another upgraded connection is open'],
  [{ leases: ['bills'] }, undefined, 'lease "bills" is held'],
  [{}, 'a release changes', 'a release changes'],
]

for (const [counts, other, heldBy] of holders) {
  void t.test(`workers stay while ${heldBy}`, t => {
    const { state, reasons } = after(looks(500, activity(counts, other)))
    t.match(state, { asleep: false, heldBy })
    t.strictSame(reasons, [])
    t.end()
  })
}

void t.test('requests that were over before a look count from that look on', t => {
  const { state } = after([
    ...looks(50, activity()),
    activity({ requests: 1 }),
    ...looks(59, activity({ requests: 1 })),
  ])
  t.equal(state.asleep, false)
  const { state: later } = after([...looks(50, activity()), ...looks(62, activity({ requests: 1 }))])
  t.equal(later.asleep, true)
  t.end()
})

void t.test('requests of processes that have ended are not activity, and neither is their absence', t => {
  const gone: Activity = { processes: new Map(), other: undefined }
  const { state } = after([activity({ requests: 9 }), ...looks(60, gone)])
  t.equal(state.asleep, true)
  t.end()
})

void t.test('a request wakes the instance, whether it is reported or seen at a look', t => {
  const { state } = after(looks(200, activity()))
  const reported = woken(state, 'a request waits', 200_000)
  t.equal(reported.reason, 'pool grows from 0 workers: a request waits')
  t.equal(reported.state.asleep, false)
  t.equal(woken(reported.state, 'a request waits', 200_001).reason, undefined, 'said once')
  const seen = sleep(state, activity({ inFlight: 1, requests: 1 }), AFTER, 200_000)
  t.equal(seen.state.asleep, false)
  t.equal(sleep(reported.state, activity(), AFTER, 259_999).state.asleep, false, 'its time begins anew')
  t.equal(sleep(reported.state, activity(), AFTER, 260_000).state.asleep, true)
  t.end()
})
