import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ProcessStatus } from '#src/control/protocol.js'
import { ask, Load } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { MODES, type Mode } from '../../helpers/modes.js'
import { appThatSays, deploy, folderOf } from '../../helpers/releases.js'

const live = ({ dataDir }: Cluster): string =>
  (JSON.parse(readFileSync(join(dataDir, 'releases', 'state.json'), 'utf8')) as { live: string }).live

const textsOf = (answers: ReadonlyArray<{ status: number; text: string }>): string[] =>
  [...new Set(answers.map(({ status, text }) => `${status} ${text}`))].sort()

/** A proof has clients that ask without a pause. */
const loadOf = ({ url }: Cluster): Load => new Load(url, '/', 4, 25)

const textOf = async ({ url }: Cluster): Promise<string> => (await ask(url, '/')).text

/** @param env the settings of the cluster */
type Part = (t: Test, cluster: Cluster, client: ControlClient, env: Record<string, string>) => Promise<void>

/** Releases follow each other on a cluster of this mode. Then the parts run, one after the other. */
export async function deploySuite(t: Test, mode: Mode, ...parts: Part[]): Promise<void> {
  await t.test(`releases replace each other, in ${mode}`, async t => {
    const env = { APP: folderOf(t, appThatSays('start')), BALANCERS: MODES[mode] }
    const cluster = await Cluster.start(t, { ...env, KEEP_WARM: '2' })
    const client = await ControlClient.of(cluster.dataDir)
    await replaceEachOther(t, cluster, client)
    for (const part of parts) await part(t, cluster, client, env)
    if (cluster.ended === undefined) t.match(await cluster.stop(), { code: 0 })
  })
}

/** The release r1 serves `one`, and r2 has served. */
async function replaceEachOther(t: Test, cluster: Cluster, client: ControlClient): Promise<void> {
  await t.test('a deploy under load loses no request, and from its end on all get the new release', async t => {
    const load = loadOf(cluster)
    t.strictSame(await deploy(t, cluster, appThatSays('one')), { release: 'r1' })
    const after = loadOf(cluster)
    await until(() => after.answered > 20, 'answers after the deploy')
    const { answers, failures } = await load.stop()
    t.strictSame(failures, [])
    t.strictSame(textsOf(answers), ['200 one', '200 start'])
    const late = await after.stop()
    t.strictSame([late.failures, textsOf(late.answers)], [[], ['200 one']])
    const states = (await client.releases()).map(({ id, state }) => `${id} ${state}`)
    t.strictSame(states, ['r1 live', 'start warm'])
  })

  await t.test('a rollback starts no worker while the previous release is warm, and loses no request', async t => {
    const workersOf = async (release: string): Promise<unknown[]> =>
      (await client.status()).processes
        .filter(process => process.role === 'worker' && process.release === release)
        .map(({ pid }) => pid)
    const before = await workersOf('r1')
    await deploy(t, cluster, appThatSays('two'))
    const load = loadOf(cluster)
    const begun = performance.now()
    t.strictSame(await client.rollback(), { release: 'r1' })
    t.comment(`${Math.round(performance.now() - begun)} ms until the release before had all clients`)
    t.equal(await textOf(cluster), 'one')
    t.strictSame(await workersOf('r1'), before)
    t.strictSame((await load.stop()).failures, [])
    t.equal(live(cluster), 'r1')
  })
}

export const badReleases: Part = async (t, cluster, client) => {
  await t.test('a release that never becomes ready is taken back, with its last output', async t => {
    const load = loadOf(cluster)
    const broken = { 'package.json': '{}', 'index.js': 'console.log("no such table"); process.exit(3)' }
    const error = await failureOf(deploy(t, cluster, broken))
    const { answers, failures } = await load.stop()
    t.match(error, { code: 'TAKEN_BACK', message: /did not become ready \(exit code 3\); r1 serves as before/ })
    t.match(error.lastLines?.join('\n'), 'no such table')
    t.strictSame([failures, textsOf(answers)], [[], ['200 one']])
    t.match(await client.releases(), [{ id: 'r3', state: 'taken-back', reason: /exit code 3/ }])
    t.strictSame(readdirSync(join(cluster.dataDir, 'releases', 'r3')), ['release.json'], 'its files are gone')
    t.match(await failureOf(client.rollback('r3')), { code: 'UNKNOWN_RELEASE', message: /no release r3/ })
  })

  await t.test('a release whose workers exit soon after they are ready is taken back unseen', async t => {
    const crashing = appThatSays('crashing', '', 'setTimeout(() => process.exit(4), 300)')
    const load = loadOf(cluster)
    const error = await failureOf(deploy(t, cluster, crashing))
    t.match(error, { code: 'TAKEN_BACK', message: /did not (last|become ready) \(exit code 4\)/ })
    const { answers, failures } = await load.stop()
    t.strictSame([failures, textsOf(answers)], [[], ['200 one']])
  })
}

export const orders: Part = async (t, cluster, client) => {
  await t.test('a second deploy and a reload are refused while one is under way', async t => {
    // An archive with all in one folder is taken as that folder.
    const packed = Object.entries(appThatSays('packed')).map(([name, text]) => [`package/${name}`, text])
    let second: Promise<unknown> | undefined
    let reload: Promise<unknown> | undefined
    await deploy(t, cluster, Object.fromEntries(packed) as Record<string, string>, '', ({ event }) => {
      if (event !== 'filling') return
      second = failureOf(deploy(t, cluster, appThatSays('four')))
      reload = failureOf(cluster.reload())
    })
    t.match(await second, { code: 'DEPLOY_UNDER_WAY' })
    t.match(await reload, { code: 'DEPLOY_UNDER_WAY' })
    t.equal(await textOf(cluster), 'packed')
  })

  await t.test('once its time is over the previous release ends, and can still be gone back to', async t => {
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
    const load = loadOf(cluster)
    t.strictSame(await client.rollback('r1'), { release: 'r1' })
    t.strictSame((await load.stop()).failures, [])
    t.equal(await textOf(cluster), 'one')
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
    t.equal(await textOf(cluster), 'one')
  })

  await t.test('a rollback names a release that it cannot go back to', async t => {
    t.match(await failureOf(client.rollback('r99')), { code: 'UNKNOWN_RELEASE' })
    t.match(await failureOf(client.rollback('../../etc')), { code: 'UNKNOWN_RELEASE' })
    t.match(await failureOf(client.rollback('r1')), { code: 'ALREADY_LIVE', message: /r1 is live/ })
  })
}

export const restart: Part = async (t, cluster, _client, env) => {
  await t.test('a restart of the program serves the live release', async t => {
    t.match(await cluster.stop(), { code: 0 })
    const again = await Cluster.start(t, { ...env, DATA_DIR: cluster.dataDir, WORKERS: '1' })
    t.equal(await textOf(again), 'one')
  })
}
