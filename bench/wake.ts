/**
 * Measures what a first request costs: of an app under plain node that has just been started, of an Outpost that has just
 * been started, and of one whose workers have ended because nobody asked for anything (WORKERS=0-1). Rounds alternate.
 *
 *   npm run bench:wake                           medians of 10 rounds, and the ratios to plain node
 *   npm run bench:wake -- --rounds 20 --mesh --app examples/plain-express/server.js
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ControlClient } from '#src/control/client.js'
import { tryToAsk } from '#scripts/lib/http-client.js'
import { familyOf, proportionalBytes } from '#scripts/lib/proc.js'
import { freePort } from '#scripts/lib/free-port.js'
import { program } from './lib/paths.js'
import { median } from './lib/stats.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    app: { type: 'string', default: 'examples/plain-express/server.js' },
    mesh: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const app = resolve(values.app)
const AT_ONCE = 1_000
const TRY_PAUSE_MS = 2
const SPARE_MS = 500
const PATIENCE_MS = 30_000

/** Milliseconds until something answers with 200. */
async function untilAnswer(url: string, since: number): Promise<number> {
  while (performance.now() - since < PATIENCE_MS) {
    const { status } = await tryToAsk(url, '/', { timeoutMs: PATIENCE_MS })
    if (status === 200) return performance.now() - since
    await sleep(TRY_PAUSE_MS)
  }
  throw new Error(`no answer from ${url}`)
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function plainNode(): Promise<number> {
  const port = await freePort()
  const since = performance.now()
  const child = spawn(process.execPath, [app], { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' })
  const ms = await untilAnswer(`http://127.0.0.1:${port}`, since)
  await end(child)
  return ms
}

/** An Outpost with the app, and with no worker while nobody asks. */
class Instance {
  private constructor(
    private readonly child: ChildProcess,
    private readonly dataDir: string,
    readonly url: string,
    readonly startMs: number,
  ) {}

  static async start(): Promise<Instance> {
    const port = await freePort()
    const dataDir = mkdtempSync(join(tmpdir(), 'outpost-wake-'))
    const own = { APP: app, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: dataDir, EMBED: 'none' }
    const scale = { WORKERS: '0-1', SCALE_TO_ZERO_AFTER: '1', BALANCERS: values.mesh ? '0' : '1' }
    const since = performance.now()
    const child = spawn(process.execPath, [program], { env: { ...process.env, ...own, ...scale }, stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}`
    return new Instance(child, dataDir, url, await untilAnswer(url, since))
  }

  async untilAsleep(): Promise<void> {
    const client = await ControlClient.of(this.dataDir)
    const since = performance.now()
    for (;;) {
      if (performance.now() - since > PATIENCE_MS) throw new Error('the instance does not fall asleep with a spare')
      const { sleep: sleeping, processes } = await client.status()
      if (sleeping?.spare === true && processes.every(({ role }) => role !== 'worker')) break
      await sleep(50)
    }
    // The spare is being started.
    await sleep(SPARE_MS)
  }

  /** Of all its processes, in MiB. */
  get memory(): number {
    return proportionalBytes(familyOf([this.child.pid ?? 0])) / 2 ** 20
  }

  async stop(): Promise<void> {
    await end(this.child)
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

const figures = { plain: [] as number[], start: [] as number[], wake: [] as number[], memory: [] as number[] }
const whole = { answered: 0, asked: 0 }
for (let round = 0; round < rounds; round += 1) {
  figures.plain.push(await plainNode())
  const instance = await Instance.start()
  figures.start.push(instance.startMs)
  await instance.untilAsleep()
  figures.memory.push(instance.memory)
  figures.wake.push(await untilAnswer(instance.url, performance.now()))
  if (round === rounds - 1) {
    await instance.untilAsleep()
    const asked = Array.from({ length: AT_ONCE }, () => tryToAsk(instance.url, '/', { timeoutMs: PATIENCE_MS }))
    const answers = await Promise.all(asked)
    whole.asked = answers.length
    whole.answered = answers.filter(({ status }) => status === 200).length
  }
  await instance.stop()
}

const base = median(figures.plain)
const line = (name: string, of: readonly number[]): string => {
  const ratio = median(of.map((value, round) => value / (figures.plain[round] ?? Number.NaN)))
  return `${name.padEnd(42)} ${median(of).toFixed(0).padStart(5)} ms   ${ratio.toFixed(2)} x plain node`
}
const report = [
  `Node.js ${process.versions.node}, ${values.app}, ${values.mesh ? 'mesh mode' : 'default mode'}, ${rounds} rounds`,
  `${'plain node, start to first answer'.padEnd(42)} ${base.toFixed(0).padStart(5)} ms`,
  line('outpost, start to first answer', figures.start),
  line('outpost without workers, first answer', figures.wake),
  `${'memory without workers (PSS)'.padEnd(42)} ${median(figures.memory).toFixed(0).padStart(5)} MiB`,
  `${`${AT_ONCE} requests at once, without workers`.padEnd(42)} ${whole.answered} of ${whole.asked} answered`,
]
process.stdout.write(`${report.join('\n')}\n`)
