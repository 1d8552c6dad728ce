import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { chooseBackend, MinioMissingError, type BackendFacts } from '#src/primary/embedded/store-backend.js'
import { temporaryFolder } from '../../helpers/harness.js'

function place(t: Test): BackendFacts & { data(kind: 'objectsDir' | 'minioDir'): void; install(): void } {
  const root = temporaryFolder(t)
  const folders = { objectsDir: join(root, 'objects'), minioDir: join(root, 'minio'), cacheDir: join(root, 'cache') }
  return {
    storePort: 'auto',
    ...folders,
    data(kind) {
      mkdirSync(folders[kind])
      writeFileSync(join(folders[kind], 'x'), '')
    },
    install() {
      const path = join(folders.cacheDir, 'outpost', 'bin')
      mkdirSync(path, { recursive: true })
      writeFileSync(join(path, 'minio-v0.0.0-20251015172955-9e49d5e7a648'), '')
      chmodSync(join(path, 'minio-v0.0.0-20251015172955-9e49d5e7a648'), 0o755)
    },
  }
}

const PATH = process.env['PATH']
// Some machines have a minio of their own; what the choice runs to look for it is a shell built-in of /bin/sh.
t.before(() => (process.env['PATH'] = '/bin'))
t.teardown(() => (process.env['PATH'] = PATH))

void t.test('a minio is used if there is one, else the embedded store', async t => {
  const here = place(t)
  t.equal(chooseBackend('main.js', here).name, 'embedded')
  here.install()
  t.match(chooseBackend('main.js', here).name, /^minio \(.*minio-v0/)
})

void t.test('existing data stay with the server that wrote them', async t => {
  const here = place(t)
  here.data('objectsDir')
  here.install()
  t.equal(chooseBackend('main.js', here).name, 'embedded')
})

void t.test('data of a minio without a minio are an error', async t => {
  const here = place(t)
  here.data('minioDir')
  t.throws(() => chooseBackend('main.js', here), MinioMissingError)
  here.install()
  t.match(chooseBackend('main.js', here).name, /^minio/)
})
