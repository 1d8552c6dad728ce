import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { controlSocketIn } from '#src/control/control-socket.js'
import { InstanceFolder } from '#src/primary/host/instance-folder.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('folders and files are made for this user only', t => {
  const dataDir = join(temporaryFolder(t), 'a', 'b')
  const folder = new InstanceFolder(dataDir)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.equal(statSync(folder.runDir).mode & 0o777, 0o700)
  t.equal(folder.runDir, join(dataDir, 'run'))
  t.end()
})

void t.test('a secret is made once and kept', t => {
  const dataDir = temporaryFolder(t)
  const secret = new InstanceFolder(dataDir).secret('session-secret')
  t.match(secret, /^[\w-]{43}$/)
  t.equal(new InstanceFolder(dataDir).secret('session-secret'), secret)
  t.equal(statSync(join(dataDir, 'session-secret')).mode & 0o777, 0o600)
  t.not(new InstanceFolder(dataDir).secret('another'), secret)
  t.end()
})

void t.test('a path too long for a socket is replaced by a short one, always the same', t => {
  const dataDir = join(temporaryFolder(t), 'x'.repeat(100))
  const folder = new InstanceFolder(dataDir)
  t.teardown(() => rmSync(folder.runDir, { recursive: true, force: true }))
  t.ok(folder.runDir.startsWith(tmpdir()))
  t.ok(Buffer.byteLength(folder.workerSocket('1234567890')) <= 103)
  t.equal(new InstanceFolder(dataDir).runDir, folder.runDir)
  t.end()
})

void t.test('a short folder that others may enter is not used', t => {
  const dataDir = join(temporaryFolder(t), 'x'.repeat(100))
  const { runDir } = new InstanceFolder(dataDir)
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }))
  chmodSync(runDir, 0o755)
  t.throws(() => new InstanceFolder(dataDir), { message: /must belong to this user alone/ })
  t.end()
})

void t.test('sockets of an earlier instance are cleared, and nothing else', t => {
  const folder = new InstanceFolder(temporaryFolder(t))
  for (const name of ['worker-1.sock', 'redis.sock', 'lifeline']) writeFileSync(join(folder.runDir, name), '')
  folder.clearSockets()
  t.strictSame(readdirSync(folder.runDir), ['lifeline'])
  t.end()
})

void t.test('a folder that cannot be made is an error that names DATA_DIR', t => {
  const file = join(temporaryFolder(t), 'file')
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, '')
  t.throws(() => new InstanceFolder(join(file, 'data')), { message: /^DATA_DIR: .*ENOTDIR/ })
  t.notOk(existsSync(join(file, 'data')))
  t.end()
})

void t.test('a secret that cannot be used is an error that names its file', t => {
  const dataDir = temporaryFolder(t)
  const folder = new InstanceFolder(dataDir)
  const path = join(dataDir, 'session-secret')
  for (const content of ['', '\n']) {
    writeFileSync(path, content)
    t.throws(() => folder.secret('session-secret'), { message: `${path}: the file is empty` })
  }
  rmSync(path)
  mkdirSync(path)
  t.throws(() => folder.secret('session-secret'), { message: `${path}: EISDIR` })
  t.end()
})

void t.test('the folder in the temporary directory is removed with the instance, and that in DATA_DIR stays', t => {
  const short = new InstanceFolder(join(temporaryFolder(t), 'x'.repeat(100)))
  const usual = new InstanceFolder(temporaryFolder(t))
  for (const folder of [short, usual]) {
    writeFileSync(join(folder.runDir, 'worker-1.sock'), '')
    folder.leave()
  }
  t.notOk(existsSync(short.runDir))
  t.strictSame(readdirSync(usual.runDir), [])
  t.end()
})

void t.test('the control socket is found by DATA_DIR, however long that is', t => {
  const parent = temporaryFolder(t)
  const long = join(parent, 'x'.repeat(100))
  mkdirSync(join(long, 'run'), { recursive: true })
  for (const dataDir of [long, parent]) {
    const folder = new InstanceFolder(dataDir)
    folder.linkRunDir()
    t.equal(controlSocketIn(dataDir), folder.controlSocket)
    folder.leave()
    t.ok(lstatSync(join(dataDir, 'run'), { throwIfNoEntry: false })?.isSymbolicLink() !== true, 'no link is left')
  }
  t.end()
})

void t.test('a long DATA_DIR that is moved to a short path has its sockets there', t => {
  const parent = temporaryFolder(t)
  const long = join(parent, 'x'.repeat(100))
  const before = new InstanceFolder(long)
  t.teardown(() => rmSync(before.runDir, { recursive: true, force: true }))
  before.linkRunDir()
  renameSync(long, join(parent, 'short'))
  t.equal(new InstanceFolder(join(parent, 'short')).runDir, join(parent, 'short', 'run'))
  t.ok(lstatSync(join(parent, 'short', 'run')).isDirectory())
  t.end()
})
