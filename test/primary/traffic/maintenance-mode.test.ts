import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createLog } from '#src/process/log.js'
import type { EdgeRunner } from '#src/primary/traffic/edge-runner.js'
import { MaintenanceMode } from '#src/primary/traffic/maintenance-mode.js'
import { failureOf } from '../../helpers/cluster.js'
import { temporaryFolder } from '../../helpers/harness.js'

const wanted = { on: true, retryAfter: 60, allow: ['192.0.2.0/24'] }

function given(t: Test): { path: string; open: () => MaintenanceMode; lines: string[]; changes: () => number } {
  const path = join(temporaryFolder(t), 'maintenance.json')
  const lines: string[] = []
  let changes = 0
  const runner: EdgeRunner = {
    edgeChanged: () => (changes += 1),
    routed: () => Promise.resolve(),
    quiet: () => Promise.resolve(),
  }
  const log = createLog('primary', 'info', { write: line => void lines.push(line) })
  return { path, open: () => MaintenanceMode.open(path, runner, log), lines, changes: () => changes }
}

void t.test('maintenance goes on after a restart, with its page, until it is off', async t => {
  const { path, open, lines, changes } = given(t)
  const first = open()
  t.strictSame([first.order, first.facts], [{}, undefined])
  await first.set({ ...wanted, page: '<p>soon</p>' })
  t.equal(statSync(path).mode & 0o777, 0o600)
  const second = open()
  t.strictSame(second.order, {
    maintenance: { page: '<p>soon</p>', retryAfterS: 60, allowed: ['192.0.2.0/24'] },
  })
  t.strictSame(second.facts, first.facts)
  t.match(lines[1], /maintenance goes on: clients get 503 and a page until outpost maintenance off/)
  await second.set({ ...wanted, on: false })
  t.strictSame(open().order, {})
  t.equal(changes(), 2)
  await second.set({ ...wanted, on: false })
  t.equal(lines.length, 3, 'nothing to tell of')
})

void t.test('without a page there is a plain one', async t => {
  const mode = given(t).open()
  await mode.set(wanted)
  t.match(mode.order.maintenance?.page, /^<!doctype html>/)
})

void t.test('an invalid address is refused, and nothing has changed', async t => {
  const mode = given(t).open()
  const error = await failureOf(mode.set({ ...wanted, allow: ['192.0.2.0/99'] }))
  t.match(error, { code: 'INVALID_BODY', message: 'allow: not an address or range: 192.0.2.0/99' })
  t.strictSame(mode.order, {})
})

void t.test('a file with an invalid address lets no client through, and the log says so', t => {
  const { path, open, lines } = given(t)
  writeFileSync(
    path,
    JSON.stringify({ since: 0, page: 'soon', retryAfterS: 60, allowed: ['192.0.2.1', '10.0.0.0/8/32'] }),
  )
  t.strictSame(open().order, { maintenance: { page: 'soon', retryAfterS: 60, allowed: [] } })
  t.match(lines[0], /"level":"?warn|"level":40/)
  t.match(lines[0], /lets no client through.*maintenance.json.*not an address or range: 10\.0\.0\.0\/8\/32/)
  t.match(lines[1], /maintenance goes on/)
  t.end()
})

void t.test('a file that cannot be read is named', t => {
  const { path, open } = given(t)
  writeFileSync(path, '{')
  t.throws(open, new RegExp(`${path} cannot be read`))
  t.equal(readFileSync(path, 'utf8'), '{')
  t.end()
})
