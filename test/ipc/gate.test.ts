import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import t from 'tap'
import { GATE_FD, guardGate, openGate } from '#src/ipc/gate.js'
import type { Harness } from '../helpers/harness.js'

const gate = new URL('../../../dist/ipc/gate.js', import.meta.url).href
const script = `
  import { waitAtGate } from '${gate}'
  console.log('waits')
  waitAtGate()
  console.log('goes on')`

interface Waiting {
  child: ChildProcess
  printed: () => string
}

function start(t: Harness): Waiting {
  const stdio = Array.from({ length: GATE_FD + 1 }, (_, fd) => (fd === 1 || fd === GATE_FD ? 'pipe' : 'ignore'))
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: stdio as 'pipe'[] })
  t.teardown(() => child.kill('SIGKILL'))
  guardGate(child)
  let text = ''
  child.stdout.on('data', data => (text += String(data)))
  return { child, printed: () => text }
}

void t.test('a spare waits, and goes on when its gate is opened', async t => {
  const { child, printed } = start(t)
  await once(child.stdout as Readable, 'data')
  t.equal(printed(), 'waits\n')
  openGate(child)
  t.strictSame(await once(child, 'close'), [0, null])
  t.equal(printed(), 'waits\ngoes on\n')
})

void t.test('a spare exits when its gate is closed unopened, as by the end of the primary', async t => {
  const { child, printed } = start(t)
  await once(child.stdout as Readable, 'data')
  ;(child.stdio as Array<{ destroy(): void } | null>)[GATE_FD]?.destroy()
  t.strictSame(await once(child, 'close'), [0, null])
  t.equal(printed(), 'waits\n')
})
