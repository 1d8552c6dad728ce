import t from 'tap'
import { readable } from '#src/cli/log-line.js'
import { coloured, plain } from '#src/cli/paint.js'

const time = '2026-11-27T03:59:07.123Z'
const at = new Date(time).toLocaleString('sv-SE')
const line = (fields: object): string => JSON.stringify({ level: 'warn', time, process: 'primary', pid: 7, ...fields })

void t.test('a line of Outpost is its time, its process, its message and its facts', t => {
  t.equal(
    readable(
      line({ child: 'worker 3', ending: 'SIGKILL', servedMs: 900, msg: 'worker exited and is replaced' }),
      plain,
    ),
    `${at} primary warn  worker exited and is replaced child=worker 3 ending=SIGKILL servedMs=900`,
  )
  t.match(readable(line({ msg: 'x' }), coloured), '\x1b[33mwarn  x\x1b[39m')
  t.end()
})

void t.test('a fact that ends the message is not printed twice', t => {
  const reason = 'no heartbeat for 10 s'
  t.equal(
    readable(line({ reason, msg: `worker is killed: ${reason}` }), plain),
    `${at} primary warn  worker is killed: ${reason}`,
  )
  t.end()
})

void t.test('the output of a failed process is below the message', t => {
  t.equal(
    readable(
      line({ err: { message: 'no', stack: 'Error: no\n  at x' }, lastLines: ['boom'], msg: 'reload failed' }),
      plain,
    ),
    `${at} primary warn  reload failed\n    Error: no\n      at x\n    boom`,
  )
  t.end()
})

void t.test('lines of the app stay as they are', t => {
  for (const text of ['[worker 1] hello', '{"an":"object"}', '{no json', '  public  http://localhost:3000', '']) {
    t.equal(readable(text, plain), text)
  }
  t.equal(readable('[worker 1] hello', coloured), '\x1b[36m[worker 1]\x1b[39m hello')
  t.end()
})
