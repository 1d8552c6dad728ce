import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import type { CronStatus } from '#src/control/protocol.js'
import { CronRunner } from '#src/primary/cron/cron-runner.js'
import { RedisRunLease } from '#src/primary/cron/redis-run-lease.js'
import { ownRunLease, type RunLease } from '#src/primary/cron/run-lease.js'
import { Lifeline } from '#src/primary/host/lifeline.js'
import { ShutdownClock } from '#src/primary/host/shutdown-clock.js'
import { keys } from '#src/services/keys.js'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'
import { isAlive } from '../../helpers/processes.js'
import { RedisServer } from '../../helpers/redis-server.js'
import { folderOf } from '../../helpers/releases.js'

const silent = pino({ level: 'silent' })
const MINUTE = 60_000

// One test waits for 10 s, so the others run meanwhile.
t.jobs = 3

/** A runner whose clock is about to come to a full minute. */
class Runner {
  readonly printed: string[] = []
  readonly logged: string[] = []
  readonly runner: CronRunner
  #ahead = 0
  /** While the clock stands still. */
  #standing: number | undefined

  constructor(t: Harness, cron: unknown[], lease: RunLease = ownRunLease) {
    const lifeline = Lifeline.open(join(temporaryFolder(t), 'lifeline'))
    const folder = folderOf(t, { 'package.json': JSON.stringify({ outpost: { cron } }) })
    const log = pino({ level: 'debug' }, { write: line => void this.logged.push(line) })
    this.runner = new CronRunner({
      placeOf: () => ({ cwd: folder, env: () => process.env }),
      defaults: { timeZone: 'UTC', timeoutMs: 60_000 },
      lease,
      lifeline: lifeline.path,
      shutdown: new ShutdownClock(5_000),
      log,
      now: () => this.#now,
      print: (_name, line) => void this.printed.push(line),
    })
    t.teardown(async () => {
      await this.runner.stop()
      lifeline.close()
    })
  }

  get #now(): number {
    return this.#standing ?? Date.now() + this.#ahead
  }

  /**
   * The clock is set to so long before the next full minute, or a later one, and the runner looks at it. It stands still until
   * then: on a busy machine the minute would be over, and the job due in the next one.
   * @param generation of the release, one that is new
   */
  followAt(generation: number, ms: number, minutes: number): void {
    this.#ahead += minutes * MINUTE - ms - (this.#now % MINUTE)
    this.#standing = this.#now
    this.runner.follow('start', generation)
    this.#ahead = this.#standing - Date.now()
    this.#standing = undefined
  }

  /** As a deploy or a reload does. */
  follow(): void {
    this.followAt(0, 100, 2)
  }

  get job(): CronStatus {
    return this.runner.status[0]!
  }

  async ran(count: number): Promise<CronStatus['runs']> {
    await until(() => this.job.runs.length === count, `${count} runs in ${JSON.stringify(this.job)}`)
    return this.job.runs
  }
}

void t.test('a job runs at its time, and its end is kept', async t => {
  const runner = new Runner(t, [`* * * * * WHO=you sh -c 'echo hello $WHO; exit 3'`])
  runner.follow()
  t.match(runner.job, { name: 'cron.1', schedule: '* * * * *', command: 'sh -c echo hello $WHO; exit 3', runs: [] })
  t.match(await runner.ran(1), [{ result: 'exit code 3' }])
  t.strictSame(runner.printed, ['hello you'])
  t.match(runner.logged.join(''), /"ending":"exit code 3".*"msg":"cron job failed"/)
  t.ok(Date.parse(runner.job.next) % MINUTE === 0)
})

void t.test('a job whose last run goes on is skipped, and so is one whose time is long over', async t => {
  const runner = new Runner(t, ['* * * * * sleep 60'])
  runner.follow()
  await until(() => runner.job.running?.pid !== undefined, 'its run')
  runner.followAt(1, 50, 4)
  t.match(await runner.ran(1), [{ result: 'skipped: the time was missed' }])
  t.match(await runner.ran(2), [{ result: 'skipped: the last run is still under way' }, {}])
  t.match(runner.logged.join(''), /cron job is skipped: the last run is still under way/)
})

void t.test('after the clock was set back, a job does not wait for the time that it was due at', async t => {
  const runner = new Runner(t, ['* * * * * true'])
  runner.followAt(0, 50, 60 * 24 * 365)
  await runner.ran(1)
  runner.followAt(1, 50, -60 * 24 * 365)
  t.match(await runner.ran(2), [{ result: 'exit code 0' }, { result: 'exit code 0' }])
  t.match(runner.logged.join(''), /"msg":"cron job finished".*"msg":"cron job finished"/s)
  t.ok(Date.parse(runner.job.next) < Date.now() + 3 * MINUTE)
})

void t.test('a run that takes too long is ended with all that it has started', async t => {
  const command = `sh -c 'trap "" TERM; sleep 600 & echo $!; wait; sleep 600'`
  const runner = new Runner(t, [{ schedule: '* * * * *', command, timeout: 1 }])
  runner.follow()
  await until(() => runner.printed.length === 1, 'its child')
  const child = Number(runner.printed[0])
  await until(() => runner.job.runs.length === 1, 'its end', 20_000)
  t.match(runner.job.runs, [{ result: 'SIGKILL: took too long' }])
  await until(() => !isAlive(child), 'the end of its child')
})

void t.test('a stop ends a run', async t => {
  const runner = new Runner(t, ['* * * * * sleep 600'])
  runner.follow()
  await until(() => runner.job.running?.pid !== undefined, 'its run')
  const { pid } = runner.job.running!
  await runner.runner.stop()
  t.match(runner.job.runs, [{ result: 'SIGTERM: the program stops' }])
  await until(() => !isAlive(pid!), 'its end')
  t.match(runner.logged.join(''), /"msg":"cron job failed"/)
})

void t.test('only the last five runs are kept', async t => {
  const runner = new Runner(t, ['* * * * * echo run'])
  runner.follow()
  for (let i = 1; i <= 6; i += 1) {
    await until(() => runner.printed.length === i && runner.job.running === undefined, `run ${i}`)
    if (i < 6) runner.followAt(i, 20, 1)
  }
  t.equal(runner.job.runs.length, 5)
})

void t.test('instances that share a Redis run each job once', async t => {
  const server = await RedisServer.start(t)
  const redis = await server.connect(t)
  const lease = (t: Harness): RunLease => {
    const made = new RedisRunLease(server.url, silent, 1_500)
    t.teardown(() => made.stop())
    return made
  }

  await t.test('a job runs once for each of its times', async t => {
    const runners = [1, 2, 3].map(() => new Runner(t, ['* * * * * echo once'], lease(t)))
    for (const runner of runners) runner.follow()
    const elsewhere = (): number => runners.filter(({ logged }) => /by another instance/.test(logged.join(''))).length
    await until(() => elsewhere() === 2, 'two that leave it to the third')
    await until(() => runners.some(({ job }) => job.runs.length === 1), 'the end of the run')
    t.strictSame(
      runners.flatMap(({ printed }) => printed),
      ['once'],
    )
  })

  await t.test('a job does not run while it runs elsewhere', async t => {
    const [first, second] = [lease(t), lease(t)]
    const claim = await first.take('long', 1_000)
    t.equal(await second.take('long', 2_000), undefined)
    await claim?.giveBack()
    t.equal(await second.take('long', 1_000), undefined, 'that time is over')
    await (await second.take('long', 2_000))?.giveBack()
    const again = await first.take('long', 3_000)
    t.not(again, undefined)
    await again?.giveBack()
  })

  await t.test('a run whose lease is lost is ended', async t => {
    const runner = new Runner(t, ['* * * * * sleep 600'], lease(t))
    runner.follow()
    await until(() => runner.job.running?.pid !== undefined, 'its run')
    const all = await redis.keys(keys.lease('cron:*'))
    t.equal(all.length, 1)
    await redis.set(all[0]!, 'another')
    await until(() => runner.job.runs.length === 1, 'its end', 20_000)
    t.match(runner.job.runs, [{ result: 'SIGTERM: another instance may run it' }])
  })

  await t.test('no job runs while Redis is away', async t => {
    await server.kill()
    const runner = new Runner(t, ['* * * * * echo never'], lease(t))
    runner.follow()
    await sleep(300)
    await runner.runner.stop()
    t.match(runner.job.runs, [{ result: 'not run: the program stops' }])
    t.strictSame(runner.printed, [])
  })
})
