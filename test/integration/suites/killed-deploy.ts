import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { ControlError, DeployProgress } from '#src/control/protocol.js'
import { Load } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { appThatSays, deploy, folderOf } from '../../helpers/releases.js'

/** The moment at which the primary is killed: an event of the deploy. */
interface Moment {
  readonly on: DeployProgress['event']
  readonly stages?: string
  readonly files?: Record<string, string>
}

const withLock = {
  'package-lock.json': '{"name":"x","lockfileVersion":3,"requires":true,"packages":{"":{}}}',
  Procfile: 'release: sleep 60\n',
}

/** No process of the new release runs yet, so both modes are alike. */
export const early: Record<string, Moment> = {
  'when the archive has come': { on: 'received' },
  'during the installation': { on: 'installing', files: withLock },
}

export const late: Record<string, Moment> = {
  'during the trial': { on: 'baking', stages: '50:60' },
  'when the rest of the workers start': { on: 'filling' },
}

/** The answers that clients get, and the release that is live. */
interface Served {
  texts: string[]
  live: string
}

/** The starts of an instance on one folder, one after the other. Its first release `r1` says `one`. */
export class Starts {
  /** After the last start. */
  served: Served = { texts: ['200 one'], live: 'r1' }

  private constructor(
    private readonly t: Test,
    private readonly env: Record<string, string>,
    /** The one that runs, or has run last. */
    public cluster: Cluster,
  ) {}

  static async first(t: Test, settings: Record<string, string> = {}): Promise<Starts> {
    const env = { APP: folderOf(t, appThatSays('start')), EMBED: 'none', ...settings }
    const cluster = await Cluster.start(t, env)
    await deploy(t, cluster, appThatSays('one'))
    return new Starts(t, { ...env, DATA_DIR: cluster.dataDir }, cluster)
  }

  async kill(): Promise<void> {
    this.cluster.signal('SIGKILL')
    await this.cluster.exited
  }

  /** Starts the program again, and looks at what clients get. */
  async again(t: Test): Promise<Served> {
    this.cluster = await Cluster.start(this.t, this.env)
    const load = new Load(this.cluster.url, '/')
    await until(() => load.answered > 50, 'answers')
    const { answers, failures } = await load.stop()
    t.strictSame(failures, [])
    const releases = await (await ControlClient.of(this.cluster.dataDir)).releases()
    t.equal(releases.filter(({ state }) => state === 'deploying').length, 0)
    const live = releases.find(({ state }) => state === 'live')?.id ?? ''
    this.served = { texts: [...new Set(answers.map(({ status, text }) => `${status} ${text}`))], live }
    return this.served
  }
}

/** Kills the primary in a deploy at each of these moments. `r1` is live before and afterwards. */
export async function killsDuring(t: Test, starts: Starts, moments: Record<string, Moment>): Promise<void> {
  for (const [when, { on, stages = '', files = {} }] of Object.entries(moments)) {
    await t.test(`after a kill ${when}, the next start serves the old release whole`, async t => {
      let cut: Promise<ControlError> | undefined
      await new Promise<void>(resolve => {
        const deployed = deploy(t, starts.cluster, { ...appThatSays('two'), ...files }, stages, ({ event }) => {
          if (event === on) resolve()
        })
        cut = failureOf(deployed)
      })
      await starts.kill()
      const ended = { code: 'STOPPING', message: /^Outpost ended before its answer did/ }
      t.match(await cut, ended, 'whoever deploys is told')
      t.strictSame(await starts.again(t), { texts: ['200 one'], live: 'r1' })
    })
  }
}
