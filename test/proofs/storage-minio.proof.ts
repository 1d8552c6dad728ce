import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { jsonOf, member } from '../helpers/client.js'
import { StorageView, storageAddressOf } from '../helpers/cluster-storage.js'
import { Cluster } from '../helpers/cluster.js'
import { ask } from '#scripts/lib/http-client.js'
import { form, sendForm } from '../helpers/forms.js'
import { temporaryFolder } from '../helpers/harness.js'
import { findMinio } from '../helpers/s3-servers.js'

const minio = await findMinio()
const skip = minio === undefined ? 'scripts/install-minio.sh finds no minio here' : false

void t.test('a minio in PATH is started, and its objects survive a restart', { skip }, async t => {
  const bin = join(temporaryFolder(t), 'bin')
  mkdirSync(bin)
  symlinkSync(minio!, join(bin, 'minio'))
  const env = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    RATE_LIMIT_MAX: '0',
    WORKERS: '1',
    DATA_DIR: temporaryFolder(t),
  }
  const content = Buffer.alloc(6 * 1024 ** 2, 'minio')

  const first = await Cluster.start(t, env)
  t.ok(first.lines.some(line => /^ {2}storage +minio \(/.test(line)))
  await first.ready()
  const { token } = await member(first.url)
  const { url } = jsonOf(await sendForm(first.url, form({ name: 'file', filename: 'x', content }), { token }))
  t.ok((await ask(first.url, String(url))).body.equals(content))
  const view = new StorageView(t, storageAddressOf(first))
  t.equal((await view.keys()).length, 1)
  t.strictSame(await view.incomplete(), [])
  await first.stop()

  const second = await Cluster.start(t, env)
  await second.ready()
  t.ok((await ask(second.url, String(url))).body.equals(content))
  await second.stop()

  const folders = (process.env['PATH'] ?? '').split(':').filter(folder => !existsSync(join(folder, 'minio')))
  const third = Cluster.spawn(t, { ...env, PATH: folders.join(':') })
  t.equal((await third.exited).code, 78, 'another server would look like a loss')
  t.match(third.lines.join('\n'), /holds objects that a minio wrote, but no minio was found/)
})
