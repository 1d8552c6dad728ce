import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { send, type Endpoint } from './signed-request.js'

const PROGRAM = fileURLToPath(new URL('store-process.js', import.meta.url))
const credentials = { accessKey: 'key', secretKey: 'secret', region: 'us-east-1' }
/** A file system of 8 MiB that only this process and its children see, and that ends with them. */
const UNSHARE = ['--mount', '--map-root-user']
const ON_SMALL_DISK = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'

const probe = spawnSync('unshare', [...UNSHARE, 'sh', '-c', ON_SMALL_DISK, '/tmp', 'true'])
const skip = probe.status === 0 ? false : 'this machine does not let us mount a small file system'

void t.test(
  'a full disk is reported, stores nothing of a file that does not fit, and loses nothing',
  { skip },
  async t => {
    const directory = t.testdir()
    const options = JSON.stringify({ ...credentials, directory, port: 0 })
    const server = [process.execPath, PROGRAM, options]
    const child = spawn('unshare', [...UNSHARE, 'sh', '-c', ON_SMALL_DISK, directory, ...server], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const endpoint: Endpoint = { ...credentials, port: Number(line) }
    const put = (key: string, size: number) =>
      send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body: Buffer.alloc(size, key) })

    await send(endpoint, { method: 'PUT', path: '/bucket' })
    t.equal((await put('fits', 4 << 20)).status, 200)
    t.match(await put('too-large', 6 << 20), { status: 507, code: 'XMinioStorageFull' })
    t.match(await put('fits', 6 << 20), { status: 507, code: 'XMinioStorageFull' })
    t.equal((await send(endpoint, { path: '/bucket/too-large' })).status, 404)
    t.equal((await send(endpoint, { path: '/bucket/fits' })).body.length, 4 << 20)
    t.equal((await send(endpoint, { method: 'DELETE', path: '/bucket/fits' })).status, 204)
    t.equal((await put('too-large', 6 << 20)).status, 200, 'the failed attempts left nothing behind')
  },
)
