import { spawn, type ChildProcess } from 'node:child_process'
import { pino } from 'pino'
import t from 'tap'
import { EmbeddedStore } from '#src/primary/embedded/embedded-store.js'
import { until, within } from '../../helpers/deadline.js'

const settings = { port: 1, accessKey: '', secretKey: '', region: '', lifeline: '', logLevel: 'silent' } as const

const failures: Array<[how: string, start: () => ChildProcess]> = [
  ['is not there', () => spawn('/no/such/store')],
  [
    'cannot be forked at all',
    () => {
      throw new Error('spawn ENOMEM')
    },
  ],
]

for (const [how, start] of failures) {
  void t.test(`a store that ${how} is tried again, and does not hold up a stop`, async t => {
    let tries = 0
    const backend = {
      name: 'none',
      spawn() {
        tries += 1
        return start()
      },
    }
    const log = pino({ level: 'silent' })
    const store = new EmbeddedStore({ ...settings, backend, stopTimeoutMs: () => 5_000, log })
    await store.start()
    await until(() => tries >= 2, 'the second try')
    await t.resolves(within(store.stop(), 'the stop'))
  })
}
