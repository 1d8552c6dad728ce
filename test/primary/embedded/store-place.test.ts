import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '#src/config/config.js'
import type { StorePlace } from '#src/primary/embedded/store-backend.js'
import { placeOfStore } from '#src/primary/embedded/store-place.js'
import { InstanceFolder } from '#src/primary/host/instance-folder.js'
import { temporaryFolder } from '../../helpers/harness.js'

function placeWith(
  t: Test,
  env: Record<string, string>,
  prepare: (dataDir: string) => void = () => undefined,
): StorePlace {
  const dataDir = temporaryFolder(t)
  prepare(dataDir)
  const config = readConfig({ DATA_DIR: dataDir, XDG_CACHE_HOME: dataDir, ...env })
  const place = placeOfStore(config, new InstanceFolder(dataDir))
  t.teardown(() => (place.handle as { close(): void } | undefined)?.close())
  return place
}

/** An app whose package.json names these packages. */
function appWith(t: Test, dependencies: Record<string, string>): string {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ dependencies }))
  writeFileSync(join(folder, 'app.js'), '')
  return join(folder, 'app.js')
}

void t.test('the store has a socket, and no port unless the app names a client of S3', t => {
  for (const env of [
    {},
    { APP: appWith(t, { express: '5' }) },
    { APP: appWith(t, { minio: '8' }), STORE_PORT: 'off' },
  ]) {
    const { socketPath, port, handle } = placeWith(t, env)
    t.match(socketPath, /store\.sock$/)
    t.strictSame([port, handle], [undefined, undefined], JSON.stringify(env))
  }
  const { socketPath, port, handle } = placeWith(t, { APP: appWith(t, { minio: '8' }) })
  t.match(socketPath, /store\.sock$/)
  t.ok(port !== undefined && port >= 20_000, String(port))
  t.ok(handle)
  t.end()
})

void t.test('STORE_PORT names the port, also for the built-in app, and a port that is taken is an error', async t => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const message = `STORE_PORT=${port}: cannot be bound on 127.0.0.1: the port is taken by another program`
  t.throws(() => placeWith(t, { STORE_PORT: String(port) }), { message })
  taken.close()
  await once(taken, 'close')
  t.equal(placeWith(t, { STORE_PORT: String(port) }).port, port)
})

void t.test('a minio has a port and no socket', t => {
  const install = (dataDir: string): void => {
    mkdirSync(join(dataDir, 'outpost', 'bin'), { recursive: true })
    writeFileSync(join(dataDir, 'outpost', 'bin', 'minio-v0'), '', { mode: 0o755 })
  }
  const { socketPath, port, handle } = placeWith(t, {}, install)
  t.ok(port)
  t.strictSame([socketPath, handle], [undefined, undefined])
  t.match(placeWith(t, { STORE_PORT: 'off' }, install).socketPath, /store\.sock$/, 'without a port, no minio is chosen')
  const data = (dataDir: string): void => {
    mkdirSync(join(dataDir, 'minio'))
    writeFileSync(join(dataDir, 'minio', 'x'), '')
  }
  t.throws(() => placeWith(t, { STORE_PORT: 'off' }, data), { message: /^STORE_PORT=off: .*needs a port/ })
  t.end()
})

void t.test('there is no place for a store that another server replaces', t => {
  const S3 = { S3_ENDPOINT: 'http://127.0.0.1:9000', S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 'b' }
  t.strictSame(placeWith(t, S3), {})
  t.notOk(existsSync('store-port'))
  t.end()
})
