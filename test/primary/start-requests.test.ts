import t from 'tap'
import { StartRequests } from '#src/primary/start-requests.js'

const never = new Promise<void>(() => undefined)
const lost = {
  role: 'worker',
  name: 'worker 1',
  servedMs: 0,
  ending: 'exit code 1',
  lastLines: ['boom'],
  printed: Promise.resolve(),
} as const
const expected = { message: 'worker 1 did not become ready (exit code 1)', lastLines: ['boom'] }

void t.test(
  'a caller that waits for the start is told of the first worker that failed, even if it asks later',
  async t => {
    const starts = new StartRequests()
    const early = starts.ask(never)
    starts.lost(lost)
    starts.lost({ ...lost, name: 'worker 2' })
    await t.rejects(early, expected)
    await t.rejects(starts.ask(never), expected)
    t.equal(starts.areOver, false)
  },
)

void t.test('the loss of a balancer does not fail the start', async t => {
  const starts = new StartRequests()
  starts.lost({ ...lost, role: 'balancer' })
  await t.resolves(starts.ask(Promise.resolve()))
})

void t.test(
  'once a request could be answered, the start has succeeded, in spite of failures before or after',
  async t => {
    const starts = new StartRequests()
    starts.lost(lost)
    starts.succeeded()
    starts.lost(lost)
    await starts.ask(Promise.resolve())
    t.equal(starts.areOver, true)
  },
)

void t.test('the failure has what the worker printed last, though that is read after its end', async t => {
  const starts = new StartRequests()
  const lastLines: string[] = []
  let allIsRead: () => void = () => undefined
  starts.lost({ ...lost, lastLines, printed: new Promise(resolve => (allIsRead = resolve)) })
  lastLines.push('the reason')
  allIsRead()
  await t.rejects(starts.ask(never), { ...expected, lastLines: ['the reason'] })
})

void t.test('a lost port ends the wait', async t => {
  await t.rejects(new StartRequests().ask(Promise.reject(new Error('port is in use'))), { message: 'port is in use' })
})
