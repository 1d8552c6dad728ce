import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { allPids, kill, startedAt, statOf } from '#src/process/process-table.js'

void t.test(
  'a process is listed with its state until it has ended',
  { skip: process.platform !== 'linux' },
  async t => {
    const child = spawn('sleep', ['600'])
    await once(child, 'spawn')
    const pid = child.pid!
    t.ok(allPids().includes(pid))
    t.match(statOf(pid)?.[0], /^[SRD]$/)
    t.match(startedAt(pid), /^\d+$/)
    kill(pid)
    await once(child, 'exit')
    t.notOk(allPids().includes(pid))
    t.equal(statOf(pid), undefined)
    t.equal(startedAt(pid), undefined)
  },
)

void t.test('a signal to a process that has ended does nothing', async t => {
  const child = spawn('true')
  await once(child, 'exit')
  t.doesNotThrow(() => kill(child.pid!))
  t.doesNotThrow(() => kill(-child.pid!, 'SIGTERM'))
})
