import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { requireExclusive } from '#src/primary/host/exclusive-folder.js'
import { temporaryFolder } from '../../helpers/harness.js'

/** Lists in which the group of new files is this user's alone, or has somebody else in it. */
function lists(t: Tap, others = ''): { users: string; groups: string } {
  const folder = temporaryFolder(t)
  const { username, uid, gid } = userInfo()
  const [users, groups] = [join(folder, 'passwd'), join(folder, 'group')]
  writeFileSync(users, `${username}:x:${uid}:${gid}::/:/bin/sh\n`)
  writeFileSync(groups, `${username}:x:${gid}:${others}\n`)
  return { users, groups }
}

type Tap = Pick<typeof t, 'teardown'>

function folder(parent: string, name: string, mode: number): string {
  const path = join(parent, name)
  mkdirSync(path)
  chmodSync(path, mode)
  return path
}

void t.test('a folder that others may write to is refused, with the remedy', t => {
  const home = temporaryFolder(t)
  requireExclusive(folder(home, 'closed', 0o700))
  requireExclusive(folder(home, 'readable', 0o755))
  const open = folder(home, 'open', 0o777)
  t.throws(() => requireExclusive(open), {
    message: `DATA_DIR: others may write to ${open} (mode 777): run "chmod go-w`,
  })
  t.throws(() => requireExclusive(folder(home, 'sticky', 0o1777)), { message: /others may write/ })
  t.end()
})

void t.test('a folder whose parent others may write to is refused, however far above', t => {
  const home = temporaryFolder(t)
  const open = folder(home, 'open', 0o777)
  const data = folder(open, 'data', 0o700)
  t.throws(() => requireExclusive(data), { message: new RegExp(`others may write to ${open} `) })
  t.throws(() => requireExclusive(folder(data, 'deeper', 0o700)), { message: new RegExp(`write to ${open} `) })
  t.end()
})

void t.test('in a sticky parent a folder of ours is used, and closed to others', t => {
  const sticky = folder(temporaryFolder(t), 'sticky', 0o1777)
  const data = folder(sticky, 'data', 0o755)
  requireExclusive(data)
  t.equal(statSync(data).mode & 0o777, 0o700)
  const parent = folder(sticky, 'parent', 0o755)
  requireExclusive(folder(parent, 'data', 0o755))
  t.equal(statSync(parent).mode & 0o777, 0o755, 'a parent of ours stays as it is')
  t.end()
})

void t.test(
  'in a sticky parent a folder of another user is refused',
  { skip: process.getuid?.() === 0 ? false : 'only root may give a folder away' },
  t => {
    const sticky = folder(temporaryFolder(t), 'sticky', 0o1777)
    const data = folder(sticky, 'data', 0o700)
    chownSync(data, 12_345, 12_345)
    t.throws(() => requireExclusive(data), { message: /must belong to this user/ })
    t.end()
  },
)

void t.test('a group may write when this user is alone in it', t => {
  const shared = folder(temporaryFolder(t), 'shared', 0o770)
  requireExclusive(shared, lists(t))
  t.throws(() => requireExclusive(shared, lists(t, 'bob')), { message: /others may write/ })
  t.throws(() => requireExclusive(shared, { users: '/none', groups: '/none' }), { message: /others may write/ })
  t.end()
})

void t.test('a link is refused where others could replace it', t => {
  const home = temporaryFolder(t)
  const data = folder(home, 'data', 0o700)
  const open = folder(home, 'open', 0o777)
  symlinkSync(data, join(open, 'link'))
  t.throws(() => requireExclusive(join(open, 'link')), { message: new RegExp(`others may write to ${open} `) })
  symlinkSync(data, join(home, 'link'))
  requireExclusive(join(home, 'link'))
  symlinkSync(open, join(home, 'to-open'))
  t.throws(() => requireExclusive(join(home, 'to-open')), { message: /others may write/ })
  t.end()
})
