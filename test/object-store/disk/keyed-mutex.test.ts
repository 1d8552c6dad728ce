import t from 'tap'
import { KeyedMutex } from '#src/object-store/disk/keyed-mutex.js'

void t.test('work of one name runs in turn, also after a failure; other names do not wait', async t => {
  const mutex = new KeyedMutex()
  const log: string[] = []
  let open = (): void => undefined
  const gate = new Promise<void>(resolve => (open = resolve))
  const first = mutex.run('a', async () => {
    log.push('first begins')
    await gate
    log.push('first ends')
    throw new Error('first failed')
  })
  const second = mutex.run('a', () => Promise.resolve(log.push('second')))
  await mutex.run('b', () => Promise.resolve(log.push('other')))
  open()
  await t.rejects(first, { message: 'first failed' })
  await second
  t.same(log, ['first begins', 'other', 'first ends', 'second'])
})
