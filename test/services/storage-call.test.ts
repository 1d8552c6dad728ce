import { EventEmitter } from 'node:events'
import type { ClientRequest } from 'node:http'
import t, { type Test } from 'tap'
import { StorageCall } from '#src/services/storage-call.js'
import { FakeClock } from '../helpers/fake-clock.js'

/** A request whose socket reports a silence when the test decides. */
class FakeRequest extends EventEmitter {
  stepMs = 0
  destroyed: Error | undefined
  readonly socket = { setTimeout: (ms: number) => (this.stepMs = ms) }

  setTimeout(ms: number): void {
    this.stepMs = ms
  }

  destroy(error: Error): void {
    this.destroyed = error
  }
}

function begun(t: Test): { clock: FakeClock; request: FakeRequest; quietStep: (moved?: boolean) => void } {
  const clock = new FakeClock(t)
  const request = new FakeRequest()
  new StorageCall({ silenceMs: 15_000, deadlineMs: 60_000 }).adopt(request as unknown as ClientRequest)
  const quietStep = (moved = false): void => {
    clock.stall(request.stepMs * (moved ? 2 : 1))
    request.emit('timeout')
  }
  return { clock, request, quietStep }
}

void t.test('the silence of a call is measured from its last movement', t => {
  const { clock, request, quietStep } = begun(t)
  const before = clock.now
  while (request.destroyed === undefined) quietStep()
  t.match(request.destroyed, { name: 'StorageUnavailableError', message: /silent for 15000 ms/ })
  t.equal(clock.now - before, 15_000)
  t.end()
})

void t.test('a write that moved at its start gets one step more, not the whole time again', t => {
  const { clock, request, quietStep } = begun(t)
  const before = clock.now
  quietStep(true)
  while (request.destroyed === undefined) quietStep()
  t.equal(clock.now - before, 18_000)
  t.end()
})

void t.test('a call that moves now and then is not silent', t => {
  const { request, quietStep } = begun(t)
  for (let i = 0; i < 100; i += 1) quietStep(i % 4 === 0)
  t.equal(request.destroyed, undefined)
  t.end()
})
