import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ProcessStatus } from '#src/control/protocol.js'
import { ask, Load } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const live = ({ dataDir }: Cluster): string =>
  (JSON.parse(readFileSync(join(dataDir, 'releases', 'state.json'), 'utf8')) as { live: string }).live

const textsOf = (answers: ReadonlyArray<{ status: number; text: string }>): string[] =>
  [...new Set(answers.map(({ status, text }) => `${status} ${text}`))].sort()

for (const BALANCERS of ['1', '0']) {
  void t.test(`releases replace each other with BALANCERS=${BALANCERS}`, async t => {
    const APP = folderOf(t, appThatSays('start'))
    const cluster = await Cluster.start(t, { APP, BALANCERS, KEEP_WARM: '2' })
    const client = await ControlClient.of(cluster.dataDir)
    const states = async (): Promise<string[]> => (await client.releases()).map(({ id, state }) => `${id} ${state}`)

    await t.test('a deploy under load loses no request, and from its end on all get the new release', async t => {
      const load = new Load(cluster.url, '/')
      t.strictSame(await deploy(t, cluster, appThatSays('one')), { release: 'r1' })
      const after = new Load(cluster.url, '/')
      await until(() => after.answered > 20, 'answers after the deploy')
      const { answers, failures } = await load.stop()
      t.strictSame(failures, [])
      t.strictSame(textsOf(answers), ['200 one', '200 start'])
      const late = await after.stop()
      t.strictSame([late.failures, textsOf(late.answers)], [[], ['200 one']])
      t.strictSame(await states(), ['r1 live', 'start warm'])
    })

    await t.test('a rollback starts no worker while the release before is warm, and loses no request', async t => {
      const workersOf = async (release: string): Promise<unknown[]> =>
        (await client.status()).processes
          .filter(process => process.role === 'worker' && process.release === release)
          .map(({ pid }) => pid)
      const before = await workersOf('r1')
      await deploy(t, cluster, appThatSays('two'))
      const load = new Load(cluster.url, '/')
      const begun = performance.now()
      t.strictSame(await client.rollback(), { release: 'r1' })
      t.comment(`${Math.round(performance.now() - begun)} ms until the release before had all clients`)
      t.equal((await ask(cluster.url, '/')).text, 'one')
      t.strictSame(await workersOf('r1'), before)
      t.strictSame((await load.stop()).failures, [])
      t.equal(live(cluster), 'r1')
    })

    await t.test('a release that never becomes ready is taken back, with its last output', async t => {
      const load = new Load(cluster.url, '/')
      const broken = { 'package.json': '{}', 'index.js': 'console.log("no such table"); process.exit(3)' }
      const error = await failureOf(deploy(t, cluster, broken))
      const { answers, failures } = await load.stop()
      t.match(error, { code: 'TAKEN_BACK', message: /did not become ready \(exit code 3\); r1 serves as before/ })
      t.match(error.lastLines?.join('\n'), 'no such table')
      t.strictSame([failures, textsOf(answers)], [[], ['200 one']])
      t.match(await client.releases(), [{ id: 'r3', state: 'taken-back', reason: /exit code 3/ }])
      t.strictSame(readdirSync(join(cluster.dataDir, 'releases', 'r3')), ['release.json'], 'its files are gone')
    })

    await t.test('a release whose workers exit soon after they are ready is taken back unseen', async t => {
      const crashing = appThatSays('crashing', '', 'setTimeout(() => process.exit(4), 300)')
      const load = new Load(cluster.url, '/')
      const error = await failureOf(deploy(t, cluster, crashing))
      t.match(error, { code: 'TAKEN_BACK', message: /did not (last|become ready) \(exit code 4\)/ })
      const { answers, failures } = await load.stop()
      t.strictSame([failures, textsOf(answers)], [[], ['200 one']])
    })

    await t.test('a second deploy and a reload are refused while one is under way', async t => {
      let second: Promise<unknown> | undefined
      let reload: Promise<unknown> | undefined
      await deploy(t, cluster, appThatSays('three'), '', ({ event }) => {
        if (event !== 'filling') return
        second = failureOf(deploy(t, cluster, appThatSays('four')))
        reload = failureOf(cluster.reload())
      })
      t.match(await second, { code: 'DEPLOY_UNDER_WAY' })
      t.match(await reload, { code: 'DEPLOY_UNDER_WAY' })
      t.equal((await ask(cluster.url, '/')).text, 'three')
    })

    await t.test('once its time is over the release before ends, and can still be gone back to', async t => {
      let workers: ProcessStatus[] = []
      const areTwo = async (): Promise<boolean> => {
        workers = (await client.status()).processes.filter(({ role }) => role === 'worker')
        return workers.length === 2
      }
      await until(areTwo, () => `two workers, not ${JSON.stringify(workers)}`)
      t.equal(
        workers.some(({ release }) => release === 'r1'),
        false,
      )
      const load = new Load(cluster.url, '/')
      t.strictSame(await client.rollback('start'), { release: 'start' })
      t.strictSame((await load.stop()).failures, [])
      t.equal((await ask(cluster.url, '/')).text, 'start')
      await client.rollback('r1')
    })

    await t.test('a body that is not an archive, or has no app, is refused, and nothing of it is left', async t => {
      const none = Readable.from(['no archive'])
      t.match(await failureOf(client.deploy(none, { source: 'x' })), {
        code: 'ARCHIVE_REFUSED',
        message: /not a complete tar/,
      })
      const empty = deploy(t, cluster, { 'notes.txt': 'x' })
      t.match(await failureOf(empty), { code: 'ARCHIVE_REFUSED', message: /has no app/ })
      const left = new Readable({ read: () => undefined })
      const given = client.deploy(left, { source: 'x' }).catch((error: unknown) => error)
      left.push(Buffer.alloc(100_000))
      setTimeout(() => left.destroy(new Error('left')), 50)
      t.match(await given, { message: 'left' })
      const drafts = (): string[] =>
        readdirSync(join(cluster.dataDir, 'releases')).filter(name => name.startsWith('.new'))
      await until(() => drafts().length === 0, 'that nothing is left')
      t.equal((await ask(cluster.url, '/')).text, 'one')
    })

    await t.test('an archive with all in one folder is taken as that folder', async t => {
      const files = Object.entries(appThatSays('packed')).map(([name, text]) => [`package/${name}`, text])
      await deploy(t, cluster, Object.fromEntries(files) as Record<string, string>)
      t.equal((await ask(cluster.url, '/')).text, 'packed')
      await client.rollback()
    })

    await t.test('a rollback names a release that it cannot go back to', async t => {
      t.match(await failureOf(client.rollback('r3')), { code: 'UNKNOWN_RELEASE', message: /no release r3/ })
      t.match(await failureOf(client.rollback('r99')), { code: 'UNKNOWN_RELEASE' })
      t.match(await failureOf(client.rollback('../../etc')), { code: 'UNKNOWN_RELEASE' })
      t.match(await failureOf(client.rollback('r1')), { code: 'ALREADY_LIVE', message: /r1 is live/ })
    })

    await t.test('a restart of the program serves the live release', async t => {
      await cluster.stop()
      const again = await Cluster.start(t, { APP, BALANCERS, DATA_DIR: cluster.dataDir })
      t.equal((await ask(again.url, '/')).text, 'one')
    })
  })
}
