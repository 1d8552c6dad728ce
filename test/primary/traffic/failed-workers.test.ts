import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { hangSignPath } from '#src/ipc/hang-sign.js'
import { noteOf, noteState, requestNotesPath } from '#src/ipc/request-notes.js'
import type { Order } from '#src/ipc/messages.js'
import type { Child } from '#src/primary/processes/child.js'
import { FatalRequestRecord } from '#src/primary/traffic/fatal-request-record.js'
import { FailedWorkers } from '#src/primary/traffic/failed-workers.js'
import { temporaryFolder } from '../../helpers/harness.js'

const HOUR_MS = 3_600_000

type FakeChild = Child & { orders: Order[] }

function worker(id: string): FakeChild {
  const orders: Order[] = []
  return { id, orders, send: (order: Order) => orders.push(order) } as unknown as FakeChild
}

interface Failed {
  failed: FailedWorkers
  log: string[]
  notes: (id: string) => string
  sign: (id: string) => string
}

function failedWorkers(t: Test): Failed {
  const folder = temporaryFolder(t)
  const log: string[] = []
  const fatal = new FatalRequestRecord(({ method, path, count }) => log.push(`${method} ${path} ended ${count}`))
  const socketOf = (id: string): string => join(folder, `${id}.sock`)
  const failed = new FailedWorkers(socketOf, fatal, (_worker, _reason, requests) => {
    log.push(requests === undefined ? 'unknown' : requests.map(({ path }) => path).join())
  })
  return { failed, log, notes: id => requestNotesPath(socketOf(id)), sign: id => hangSignPath(socketOf(id)) }
}

void t.test('after the first failure all workers note their requests, and later ones do, for an hour', t => {
  const { failed, log } = failedWorkers(t)
  const [early, other, later, late] = [worker('1'), worker('2'), worker('3'), worker('4')]
  failed.begin(early, 0)
  failed.note(early, 'SIGABRT', [other], 0)
  failed.begin(later, HOUR_MS - 1)
  failed.begin(late, HOUR_MS)
  t.strictSame(log, ['unknown'])
  t.strictSame(
    [early, other, later, late].map(({ orders }) => orders.map(({ type }) => type)),
    [[], ['note-requests'], ['note-requests'], []],
  )
  t.end()
})

void t.test('the request in whose call the worker failed is named, else all that were there', t => {
  const { failed, log, notes } = failedWorkers(t)
  const open = noteState.open + noteOf('GET', '/slow').slice(1)
  writeFileSync(notes('1'), open + noteOf('GET', '/hang'))
  failed.note(worker('1'), 'no heartbeat', [])
  writeFileSync(notes('2'), open)
  failed.note(worker('2'), 'no heartbeat', [])
  t.strictSame(log, ['GET /hang ended 1', '/slow'])
  t.end()
})

void t.test('workers note no requests after a hang that the stand-in has noted, but do after a fault', t => {
  const { failed, notes } = failedWorkers(t)
  const [one, two] = [worker('1'), worker('2')]
  writeFileSync(notes('1'), noteOf('GET', '/hang'))
  t.ok(failed.note(one, 'no heartbeat', [two], 0))
  t.strictSame(two.orders, [])
  t.notOk(failed.note(worker('3'), 'SIGSEGV', [two], 1), 'nothing is known of its requests')
  t.ok(failed.note(one, 'SIGSEGV', [two], 2))
  t.equal(two.orders.length, 2)
  t.end()
})

void t.test('a request that another worker has passed on is left to that one', t => {
  const { failed, log, notes } = failedWorkers(t)
  writeFileSync(notes('1'), noteOf('GET', '/hang', false))
  t.notOk(failed.note(worker('1'), 'no heartbeat', []))
  t.strictSame(log, ['/hang'])
  t.end()
})

void t.test('a stand-in is told by a file, which goes with the worker and its notes', t => {
  const { failed, notes, sign } = failedWorkers(t)
  t.ok(failed.askStandIn(worker('1')))
  t.ok(existsSync(sign('1')))
  writeFileSync(notes('1'), noteOf('GET', '/hang'))
  failed.forget(worker('2'))
  t.ok(existsSync(notes('1')))
  failed.forget(worker('1'))
  t.notOk(existsSync(notes('1')))
  t.notOk(existsSync(sign('1')))
  t.notOk(failed.askStandIn(worker('no/folder')), 'it cannot be told')
  t.end()
})
