import { mkdirSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Logger } from '#src/process/log.js'
import { Deployer, type DeployerOptions } from '#src/primary/releases/deployer.js'
import type { ReleaseRunner } from '#src/primary/releases/release-runner.js'
import { ReleaseStore } from '#src/primary/releases/release-store.js'
import type { FileSpaceReport } from '#src/primary/releases/space-watch.js'
import { isAlive } from '../../helpers/processes.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'
import { archiveOf, folderOf } from '../../helpers/releases.js'

const GIB = 1024 ** 3

/** A disk that can be filled. */
class FakeDisk {
  freeBytes = 50 * GIB
  #looked: () => void = () => undefined

  readonly report = (): Promise<FileSpaceReport> => {
    setImmediate(this.#looked)
    return Promise.resolve({ bavail: this.freeBytes, blocks: 100 * GIB, bsize: 1, files: 0, ffree: 0 })
  }

  /** Resolves when somebody has seen that it is full. */
  fill(): Promise<void> {
    this.freeBytes = GIB - 1
    return new Promise(resolve => (this.#looked = resolve))
  }
}

function deployerOn(
  t: Harness,
  disk: FakeDisk,
  print: (line: string) => void = () => undefined,
  sync?: DeployerOptions['sync'],
  reloaded: () => Promise<void> = () => Promise.resolve(),
) {
  const folder = join(temporaryFolder(t), 'releases')
  const store = ReleaseStore.open(folder)
  const warnings: string[] = []
  const told: unknown[] = []
  const deployer = new Deployer({
    store,
    // Nothing that is deployed here gets as far as being run.
    runner: { releases: { current: 'start' }, reloaded } as unknown as ReleaseRunner,
    log: {
      warn: (_facts: object, message: string) => warnings.push(message),
      info: () => undefined,
    } as unknown as Logger,
    ...(sync && { sync }),
    previewKey: '',
    keepStarted: () => Promise.resolve(),
    app: undefined,
    startedIn: folder,
    env: () => process.env,
    appEnvironment: {},
    lifelineFd: openSync('/dev/null', 'r+'),
    installTimeoutMs: 60_000,
    keepWarmMs: 0,
    minFreeBytes: undefined,
    spaceReport: disk.report,
    leftOut: ['data'],
    print,
  })
  const deploy = (archive: Readable): Promise<unknown> =>
    deployer
      .deploy({ archive, source: 'test', stages: [], preview: false }, event => told.push(event))
      .catch((error: unknown) => error)
  return {
    deploy,
    deployer,
    folder,
    store,
    warnings,
    told,
    left: () => readdirSync(folder).filter(name => !name.startsWith('.gone-')),
  }
}

const STATE = ['state.before.json', 'state.json']

const SHORT = 'less than 1024 MiB of the disk are free (MIN_FREE_BYTES)'

void t.test('an installation that fills the disk is ended, and nothing of its release is left', async t => {
  const disk = new FakeDisk()
  let pid = 0
  const { deploy, left } = deployerOn(t, disk, line => {
    pid = Number(line)
    void disk.fill()
  })
  const command = 'sleep 600 & echo $!; wait'
  const error = await deploy(archiveOf(folderOf(t, { 'index.js': '', Procfile: `release: ${command}` })))
  t.match(error, {
    code: 'INSTALL_FAILED',
    message: `The release is not installed: ${command} was ended: ${SHORT}.`,
  })
  t.strictSame(left(), STATE)
  await until(() => !isAlive(pid), 'the end of what it has started')
})

void t.test('a folder of an archive that has the name of DATA_DIR is left out, and named', async t => {
  const { deploy, told } = deployerOn(t, new FakeDisk())
  await deploy(archiveOf(folderOf(t, { 'index.js': '', 'data/x': '', Procfile: 'release: exit 1' })))
  t.match(told, [{ event: 'received', files: 2, leftOut: 'data' }, {}])
})

void t.test('an archive that fills the disk while it is unpacked is refused, too', async t => {
  const disk = new FakeDisk()
  const { deploy, left } = deployerOn(t, disk)
  const [archive] = (await archiveOf(folderOf(t, { 'index.js': 'x'.repeat(100) })).toArray()) as [Buffer]
  const slow = async function* (): AsyncGenerator<Buffer> {
    yield archive.subarray(0, 20)
    await disk.fill()
    yield archive.subarray(20)
  }
  t.match(await deploy(Readable.from(slow())), {
    code: 'INSTALL_FAILED',
    message: `The release is not installed: ${SHORT}.`,
  })
  t.strictSame(left(), STATE)
})

void t.test('on a full disk nothing is received', async t => {
  const disk = new FakeDisk()
  void disk.fill()
  const { deploy, left } = deployerOn(t, disk)
  const unread = new Readable({ read: () => t.fail('it is read') })
  t.match(await deploy(unread), { code: 'INSTALL_FAILED', message: `The release is not installed: ${SHORT}.` })
  t.strictSame(left(), STATE)
})

void t.test('a disk that is full all the same is reported as full, and nothing is left', async t => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const { deploy, store, left } = deployerOn(t, new FakeDisk())
    store.keep = () => {
      throw Object.assign(new Error(`${code}: write`), { code })
    }
    t.match(await deploy(archiveOf(folderOf(t, { 'index.js': '' }))), {
      code: 'INSTALL_FAILED',
      message: 'The release is not installed: the disk is full.',
    })
    t.strictSame(left(), STATE)
  }
})

void t.test('packages that yarn has locked are named to the person who deploys', async t => {
  const { deploy, left } = deployerOn(t, new FakeDisk())
  const files = { 'index.js': '', 'package.json': '{"dependencies":{"express":"5"}}', 'yarn.lock': '' }
  t.match(await deploy(archiveOf(folderOf(t, files))), {
    code: 'INSTALL_FAILED',
    message: /^The release is not installed: the packages are locked by yarn\.lock, .* package-lock\.json\.$/,
  })
  t.strictSame(left(), STATE)
})

void t.test('a release that would use packages of the folder above is refused, and nothing is left', async t => {
  const { deploy, folder, left } = deployerOn(t, new FakeDisk())
  mkdirSync(join(folder, '..', 'node_modules', 'express'), { recursive: true })
  const files = { 'index.js': '', 'package.json': '{"dependencies":{"express":"5"}}' }
  t.match(await deploy(archiveOf(folderOf(t, files))), {
    code: 'INSTALL_FAILED',
    message: /^The release is not installed: package\.json names packages that the release does not have \(express\)/,
  })
  t.strictSame(left(), STATE)
})

void t.test('a release is on the disk before there is a record of it, or the log says that it may not be', async t => {
  for (const doubt of [undefined, 'the disk is slow']) {
    let atSync: string[] = []
    const { deploy, store, warnings, left } = deployerOn(t, new FakeDisk(), undefined, folder => {
      atSync = [...left(), ...readdirSync(folder)]
      return Promise.resolve(doubt)
    })
    await deploy(archiveOf(folderOf(t, { 'index.js': 'x' })))
    t.strictSame(atSync, ['.new-r1', ...STATE, 'index.js'])
    t.match(store.get('r1'), { main: 'index.js' })
    t.strictSame(
      warnings,
      doubt === undefined ? [] : [`release may be damaged by a power cut within the next minute: ${doubt}`],
    )
  }
})

void t.test('an installed release waits for the end of a reload, and a stop ends the wait', async t => {
  for (const isStopped of [false, true]) {
    let [waits, reload]: [() => void, () => void] = [() => undefined, () => undefined]
    const waiting = new Promise<void>(resolve => (waits = resolve))
    const { deploy, deployer, store } = deployerOn(t, new FakeDisk(), undefined, undefined, () => {
      waits()
      return new Promise(resolve => (reload = resolve))
    })
    const deployed = deploy(archiveOf(folderOf(t, { 'index.js': '' })))
    await waiting
    t.equal(store.get('r1'), undefined)
    if (isStopped) await deployer.stop()
    else reload()
    t.match(await deployed, isStopped ? { code: 'STOPPING' } : TypeError, 'no more is to be run here')
    t.equal(store.get('r1') !== undefined, !isStopped)
  }
})
