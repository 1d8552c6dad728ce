import t from 'tap'
import { ServiceStack, type Service } from '#src/process/service.js'

function recorder(): { log: string[]; service: (name: string, start?: () => Promise<void>) => Service } {
  const log: string[] = []
  const service = (name: string, start = (): Promise<void> => Promise.resolve()): Service => ({
    async start() {
      log.push(`start ${name}`)
      await start()
    },
    async stop() {
      await Promise.resolve()
      log.push(`stop ${name}`)
    },
  })
  return { log, service }
}

void t.test('services start in order and stop once, in reverse', async t => {
  const { log, service } = recorder()
  const stack = new ServiceStack([service('a'), service('b'), service('c')])
  await stack.start()
  await Promise.all([stack.stop(), stack.stop()])
  await stack.stop()
  t.strictSame(log, ['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
})

void t.test('when a service does not start, it and those before it are stopped', async t => {
  const { log, service } = recorder()
  const broken = service('b', () => Promise.reject(new Error('no')))
  const stack = new ServiceStack([service('a'), broken, service('c')])
  await t.rejects(stack.start(), { message: 'no' })
  t.strictSame(log, ['start a', 'start b', 'stop b', 'stop a'])
})
