import { once } from 'node:events'
import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { platform } from 'node:process'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { freePort } from '#scripts/lib/free-port.js'

const taken = net.createServer().listen(0, '127.0.0.1')
await once(taken, 'listening')
t.teardown(() => taken.close())
const { port: takenPort } = taken.address() as net.AddressInfo

const folder = temporaryFolder(t)
const file = join(folder, 'a-file')
writeFileSync(file, '')

interface Fault {
  env: Record<string, string>
  /** Texts that the message must contain. */
  says: (string | RegExp)[]
}

const faults: Fault[] = [
  { env: { PORT: 'abc' }, says: ['PORT=abc', '0 to 65535'] },
  { env: { PORT: String(takenPort) }, says: [`PORT=${takenPort}`, 'taken'] },
  { env: { HOST: '192.0.2.1' }, says: ['HOST=192.0.2.1', 'does not have that address'] },
  { env: { WORKERS: '-1' }, says: ['WORKERS=-1', 'auto'] },
  { env: { WORKERS: 'x' }, says: ['WORKERS=x', 'auto'] },
  { env: { BALANCE: 'fair' }, says: ['BALANCE=fair', 'round-robin', 'least-busy'] },
  { env: { APP: '/no/such/app.js' }, says: ['APP=/no/such/app.js', 'can be read'] },
  { env: { NODE_ENV: 'production', SESSION_SECRET: 'hunter2' }, says: ['SESSION_SECRET=', '32 characters'] },
  { env: { HOST: '999.1.1.1' }, says: ['HOST=999.1.1.1', 'host name'] },
  { env: { DATA_DIR: file }, says: [`DATA_DIR=${file}`, 'can make and write to'] },
  { env: { DATA_DIR: join(file, 'folder') }, says: [`DATA_DIR=${join(file, 'folder')}`, 'can make and write to'] },
  ...(platform === 'linux' ? [{ env: { DATA_DIR: '/proc/no/folder' }, says: ['DATA_DIR', '/proc/no'] }] : []),
  {
    env: {
      PORT: 'abc',
      HOST: '1.2.3.4.5',
      WORKERS: 'x',
      DATA_DIR: file,
      NODE_ENV: 'production',
      SESSION_SECRET: 'hunter2',
    },
    says: ['PORT=abc', 'HOST=1.2.3.4.5', 'WORKERS=x', `DATA_DIR=${file}`, 'SESSION_SECRET='],
  },
]

const emptySecret = temporaryFolder(t)
writeFileSync(join(emptySecret, 'session-secret'), '')
faults.push({ env: { DATA_DIR: emptySecret }, says: [join(emptySecret, 'session-secret'), 'the file is empty'] })

for (const { env, says } of faults) {
  const name = Object.entries(env).map(([key, value]) => `${key}=${value.replace(folder, '…')}`)
  void t.test(`a start is refused in one message: ${name.join(' ').replace(String(takenPort), '(taken)')}`, async t => {
    const cluster = Cluster.spawn(t, env)
    t.strictSame(await cluster.exited, { code: 78, signal: null })

    const message = cluster.lines.join('\n')
    t.match(message, /^outpost: /, 'one message')
    t.equal(message.match(/outpost:/g)?.length, 1)
    t.notMatch(message, /\n {4}at /, 'and no stack trace')
    t.notMatch(message, 'hunter2', 'nor a secret')
    for (const part of says) t.match(message, part)
    await cluster.gone()
  })
}

for (const BALANCERS of ['1', '0']) {
  void t.test(
    `one of two instances that bind the same port at once exits with a message, with BALANCERS=${BALANCERS}`,
    async t => {
      const PORT = String(await freePort())
      const both = [
        Cluster.spawn(t, { PORT, BALANCERS, WORKERS: '1' }),
        Cluster.spawn(t, { PORT, BALANCERS, WORKERS: '1' }),
      ]
      const first = async (cluster: Cluster): Promise<Cluster> => cluster.exited.then(() => cluster)
      const loser = await Promise.race(both.map(first))
      t.strictSame(await loser.exited, { code: 78, signal: null })
      t.match(loser.lines.join('\n'), `outpost: PORT=${PORT}`)
      await loser.gone()
      for (const cluster of both) if (cluster !== loser) await cluster.stop()
    },
  )
}

void t.test('without a redis-server, the message says what to install', async t => {
  const without = temporaryFolder(t)
  for (const command of ['flock', 'mkfifo', 'sh']) symlinkSync(pathOf(command), join(without, command))
  const cluster = Cluster.spawn(t, { PATH: without })
  t.match(await cluster.exited, { code: 78 })
  t.match(cluster.lines.join('\n'), /^outpost: redis-server was not found.*REDIS_URL/)
  await cluster.gone()
})

function pathOf(command: string): string {
  const folders = (process.env['PATH'] ?? '').split(':')
  return join(
    folders.find(folder => existsSync(join(folder, command)))!,
    command,
  )
}
