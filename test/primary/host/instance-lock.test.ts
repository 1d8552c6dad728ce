import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { InstanceRunningError, lockInstance } from '#src/primary/host/instance-lock.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('a second lock fails with the pid of the holder', t => {
  const file = join(temporaryFolder(t), 'lock')
  const release = lockInstance(file, '/data')
  t.equal(readFileSync(file, 'utf8'), `${process.pid}\n`)
  t.throws(() => lockInstance(file, '/data'), InstanceRunningError)
  t.throws(() => lockInstance(file, '/data'), { message: new RegExp(`pid ${process.pid}\\) runs on /data`) })
  release()
  lockInstance(file, '/data')()
  t.end()
})

void t.test('the lock ends with its holder, however the holder ends', async t => {
  const file = join(temporaryFolder(t), 'lock')
  const module = new URL('../../../../dist/primary/host/instance-lock.js', import.meta.url).href
  const code = `import(${JSON.stringify(module)}).then(({ lockInstance }) => {
    lockInstance(${JSON.stringify(file)}, '/data'); console.log('locked'); setInterval(() => undefined, 1000) })`
  const holder = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  t.throws(() => lockInstance(file, '/data'), { message: new RegExp(`pid ${String(holder.pid)}\\)`) })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  lockInstance(file, '/data')()
})
