import t from 'tap'
import { MAX_SLOTS } from '#src/ipc/request-notes.js'
import { OpenCalls } from '#src/worker/open-calls.js'

const request = (method: string, url: string, id = 'id-1') => ({ method, url, headers: { 'x-request-id': id } })

void t.test('a request can be read elsewhere from the call of the app to the end of its answer', t => {
  const calls = new OpenCalls()
  const elsewhere = new OpenCalls(calls.memory)
  const first = calls.begin(request('GET', '/slow?secret=1'), 20)
  t.strictSame(elsewhere.read(), [{ method: 'GET', path: '/slow', id: 'id-1', file: 20, isCalled: true }])
  calls.returned()
  calls.begin(request('POST', '/next', 'id-2'), -1)
  t.strictSame(elsewhere.read(), [
    { method: 'GET', path: '/slow', id: 'id-1', file: 20, isCalled: false },
    { method: 'POST', path: '/next', id: 'id-2', file: -1, isCalled: true },
  ])
  calls.end(first)
  calls.begin(request('PUT', '/third'), 21)
  t.strictSame(
    elsewhere.read().map(({ path }) => path),
    ['/third', '/next'],
    'its slot is free again',
  )
  t.end()
})

void t.test('a call that has ended is not marked again, and long texts are cut', t => {
  const calls = new OpenCalls()
  calls.end(calls.begin(request('GET', '/'), 20))
  calls.returned()
  t.strictSame(calls.read(), [])
  calls.begin(request('DELETE', `/${'é'.repeat(500)}`, 'i'.repeat(500)), 20)
  const [cut] = calls.read()
  t.match(cut, { path: /^\/é{100,200}$/, id: /^i{40,50}$/ })
  t.end()
})

void t.test('a request without a free slot is not kept', t => {
  const calls = new OpenCalls()
  for (let i = 0; i < MAX_SLOTS; i += 1) calls.begin(request('GET', `/${i}`), i)
  const none = calls.begin(request('GET', '/none'), 1)
  calls.end(none)
  t.equal(calls.read().length, MAX_SLOTS)
  t.end()
})
