import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import * as proc from '#scripts/lib/proc.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

/** A process that does nothing, with a child that does nothing. */
async function aFamily(t: Harness): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', 'sleep 600 & wait'], { stdio: 'ignore', detached: true })
  t.teardown(() => process.kill(-child.pid!, 'SIGKILL'))
  await until(() => proc.familyOf([child.pid!]).length === 2, 'the child of the child')
  return child
}

void t.test('a process is found by its id, with its title, its memory and its processor time', async t => {
  t.ok(proc.allPids().includes(process.pid))
  t.ok(proc.isAlive(process.pid))
  const { pid = 0 } = await aFamily(t)
  t.equal(proc.titleOf(pid), 'sh -c sleep 600 & wait')
  const ours = proc.residentBytes([process.pid])
  t.ok(Math.abs(ours - process.memoryUsage.rss()) < 64 * 2 ** 20, `${ours} bytes`)
  t.ok(proc.cpuMicros([process.pid]) > 0)
})

void t.test('a family has the elders and all that descend from them', async t => {
  const { pid = 0 } = await aFamily(t)
  const family = proc.familyOf([process.pid])
  for (const member of proc.familyOf([pid])) t.ok(family.includes(member))
})

void t.test('a process that has ended is not alive and reads as empty', async t => {
  const child = spawn('true')
  await once(child, 'exit')
  const { pid = 0 } = child
  t.notOk(proc.isAlive(pid))
  t.equal(proc.titleOf(pid), '')
  t.equal(proc.residentBytes([pid]), 0)
  t.equal(proc.cpuMicros([pid]), 0)
  t.notOk(proc.holds(pid, new Set(['socket:[1]'])))
})

void t.test('the holder of a listening port and of a unix socket is found', async t => {
  const tcp = net.createServer()
  const unix = net.createServer()
  t.teardown(() => {
    tcp.close()
    unix.close()
  })
  await new Promise<void>(resolve => tcp.listen(0, '127.0.0.1', resolve))
  const path = join(temporaryFolder(t), 'with space.sock')
  await new Promise<void>(resolve => unix.listen(path, resolve))
  t.ok(proc.holds(process.pid, proc.listeningSockets((tcp.address() as AddressInfo).port)))
  const bound = proc.boundUnixSockets().find(socket => socket.path === path)
  t.ok(bound !== undefined && proc.holds(process.pid, new Set([bound.file])))
})
