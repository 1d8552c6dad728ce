import fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { handOver } from '#src/primary/host/run-as.js'
import { temporaryFolder } from '../../helpers/harness.js'

const skip = process.getuid?.() !== 0 && 'needs root'
const USER = { name: '', uid: 64_321, gid: 64_321, home: '/', shell: '/bin/sh' }
const OTHER = 64_322
const ownerOf = (path: string): number => fs.lstatSync(path).uid

/** A folder that root alone may write to, and below it one of the user. */
function places(t: Test) {
  const roots = temporaryFolder(t)
  fs.chmodSync(roots, 0o755)
  const users = join(roots, 'users')
  const kept = join(roots, 'kept')
  for (const path of [users, kept, join(kept, 'below')]) fs.mkdirSync(path, { mode: 0o755 })
  fs.writeFileSync(join(kept, 'below', 'file'), '')
  fs.chownSync(users, USER.uid, USER.gid)
  const isKept = (): boolean =>
    [kept, join(kept, 'below'), join(kept, 'below', 'file')].every(path => ownerOf(path) === 0)
  return { roots, users, kept, isKept }
}

void t.test('a folder that root has left is given to the user, with all below it', { skip }, t => {
  const { kept } = places(t)
  handOver(kept, USER)
  for (const path of [kept, join(kept, 'below'), join(kept, 'below', 'file')]) t.equal(ownerOf(path), USER.uid, path)
  t.end()
})

void t.test('a link that the user has made gives away nothing', { skip }, t => {
  const { users, kept, isKept } = places(t)
  const link = join(users, 'data')
  fs.symlinkSync(kept, link)
  t.throws(() => handOver(link, USER), { message: /^DATA_DIR: .* is root's, and others than root may write to / })
  t.throws(() => handOver(join(link, 'below'), USER), /others than root/, 'nor does one on the way')
  t.ok(isKept())
  t.end()
})

void t.test('a folder of root in a folder of the user gives away nothing: the user can rename it', { skip }, t => {
  const { users } = places(t)
  const folder = join(users, 'data')
  fs.mkdirSync(folder)
  t.throws(() => handOver(folder, USER), { message: /run "chown -R 64321:64321 / })
  t.equal(ownerOf(folder), 0)
  t.end()
})

void t.test('a DATA_DIR that root has used in a folder of the user is given to the user', { skip }, t => {
  const { users } = places(t)
  const data = join(users, 'data')
  const inside = [join(data, 'lock'), join(data, 'redis'), join(data, 'redis', 'dump.rdb')]
  fs.mkdirSync(join(data, 'redis'), { mode: 0o700, recursive: true })
  for (const file of [inside[0]!, inside[2]!]) fs.writeFileSync(file, '')

  fs.chmodSync(data, 0o755)
  t.throws(() => handOver(data, USER), /others than root/, 'one that others may enter is not')
  fs.chmodSync(data, 0o700)
  fs.mkdirSync(join(users, 'way'))
  fs.symlinkSync(users, join(users, 'way', 'link'))
  t.throws(() => handOver(join(users, 'way', 'link', 'data'), USER), /others than root/, 'nor is one behind a link')
  t.ok([data, ...inside].every(path => ownerOf(path) === 0))

  fs.chownSync(inside[0]!, USER.uid, USER.gid)
  handOver(data, USER)
  for (const path of [data, ...inside]) t.equal(ownerOf(path), USER.uid, path)
  t.end()
})

void t.test('a link of root is followed', { skip }, t => {
  const { roots, kept } = places(t)
  const link = join(roots, 'data')
  fs.symlinkSync('kept', link)
  handOver(link, USER)
  t.equal(ownerOf(kept), USER.uid)
  t.end()
})

void t.test('a missing folder is made for the user, but not where a link of the user leads', { skip }, t => {
  const { roots, users, kept } = places(t)
  handOver(join(roots, 'new', 'data'), USER)
  t.equal(ownerOf(join(roots, 'new', 'data')), USER.uid)

  handOver(join(users, 'new', 'data'), { ...USER, uid: OTHER })
  for (const path of [join(users, 'new'), join(users, 'new', 'data')]) {
    t.equal(ownerOf(path), OTHER, 'also in a folder of somebody else')
    t.equal(fs.statSync(path).mode & 0o777, 0o700)
  }

  fs.symlinkSync(kept, join(users, 'link'))
  handOver(join(users, 'link', 'data'), USER)
  t.notOk(fs.existsSync(join(kept, 'data')), 'it is left to the user')

  fs.mkdirSync(join(roots, 'shared'))
  fs.chmodSync(join(roots, 'shared'), 0o777)
  handOver(join(roots, 'shared', 'data'), USER)
  t.notOk(fs.existsSync(join(roots, 'shared', 'data')), 'it is left to the user')
  t.end()
})

void t.test(
  'a folder of another user in it is not entered, and one that others may write to is refused',
  { skip },
  t => {
    const { kept } = places(t)
    const others = join(kept, 'others')
    fs.mkdirSync(others)
    fs.writeFileSync(join(others, 'file'), '')
    fs.chownSync(others, OTHER, OTHER)
    const open = join(kept, 'open')
    fs.mkdirSync(open)
    fs.chmodSync(open, 0o777)
    t.throws(() => handOver(kept, USER), /others may write to .*open/)
    t.equal(ownerOf(kept), 0)

    fs.chmodSync(kept, 0o700)
    handOver(kept, USER)
    t.equal(ownerOf(open), USER.uid, 'nobody could reach it')
    t.equal(ownerOf(join(others, 'file')), 0)
    t.end()
  },
)
