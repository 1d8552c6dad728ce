import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { readProc } from '#scripts/lib/proc.js'
import { exitCodes } from '#src/process/exit.js'
import { ask } from '../helpers/client.js'
import { Cluster, type Role } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { hindrance, reaches } from '../helpers/other-user.js'

const [, , uid, gid] = spawnSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).stdout.split(':')
const nobody = Number(uid)

const skip = hindrance(nobody) || (!reaches(nobody, process.execPath) && 'another user cannot reach this Node')

/** Real, effective, saved and file-system ids: one is enough to be root again. */
function idsOf(pid: number): string[] {
  const status = readProc(`${pid}/status`)
  const ids = /^Uid:\t(.*)\nGid:\t(.*)$/m.exec(status)
  const groups = /^Groups:\t(.*)$/m.exec(status)?.[1]?.trim().split(' ') ?? []
  return [...new Set(ids?.[1]?.split('\t')), ...new Set([...(ids?.[2]?.split('\t') ?? []), ...groups])]
}

/** Only root may bind one of these. Few services have such a port. */
async function freePortOfRoot(): Promise<number> {
  for (let port = 1_023; port > 600; port--) {
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    server.close()
    if (isFree) return port
  }
  throw new Error('no port of root is free')
}

void t.test(
  'an instance that root starts on a port of root runs as RUN_AS, on a folder that root has made',
  { skip },
  async t => {
    const parent = temporaryFolder(t)
    chmodSync(parent, 0o755)
    const DATA_DIR = join(parent, 'data')
    const secret = join(parent, 'of-root')
    mkdirSync(DATA_DIR, { mode: 0o700 })
    writeFileSync(join(DATA_DIR, 'left-by-root'), '')
    writeFileSync(secret, '', { mode: 0o600 })
    symlinkSync(secret, join(DATA_DIR, 'link'))
    const port = await freePortOfRoot()

    for (const time of ['first', 'second']) {
      const cluster = await Cluster.start(t, { DATA_DIR, RUN_AS: 'nobody', PORT: String(port), WORKERS: '1' })
      t.match(await ask(cluster.url, '/health'), { status: 200 }, `${time} start`)
      for (const role of ['primary', 'balancer', 'worker', 'redis', 'store'] satisfies Role[]) {
        const pids = role === 'primary' ? [cluster.pid] : cluster.pids(role)
        t.ok(pids.length > 0, role)
        for (const pid of pids) t.strictSame(idsOf(pid), [uid, gid], `${role} has no id of root`)
      }
      t.match(readProc(`${cluster.pids('worker')[0]}/environ`), /(^|\0)USER=nobody(\0|$)/)
      t.match(await cluster.stop(), { code: 0 })
    }
    for (const name of ['', 'left-by-root', 'link']) t.equal(lstatSync(join(DATA_DIR, name)).uid, nobody, name)
    t.equal(lstatSync(secret).uid, 0, 'a link leads out of the folder')
  },
)

void t.test('a user that is not there, or that only root could become, is an error', async t => {
  const unknown = Cluster.spawn(t, { RUN_AS: 'nobody-of-this-name' })
  t.match(await unknown.exited, { code: exitCodes.config })
  t.match(unknown.lines.join('\n'), /RUN_AS=nobody-of-this-name: /)
})
