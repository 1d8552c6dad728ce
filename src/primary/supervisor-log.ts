import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import type { LocalState, Report, ServedBy } from '../ipc/messages.js'
import type { RestartVerdict } from './plan/restart-policy.js'
import type { PoolSize } from './pool-size.js'
import type { Child } from './processes/child.js'
import type { FatalRequestNews } from './traffic/fatal-request-record.js'
import type { RequestsThen } from './traffic/failed-workers.js'

/** An app in a worker could make up any number. */
const MAX_HINTS = 100
/** How many requests of a failed worker are named. */
const MAX_NAMED = 5

const REMEDIES: Record<LocalState, string> = {
  sessions: 'outpost.session(), a shared store or STICKY=cookie keeps users signed in',
  'rate limits': 'outpost.rateLimit() or a shared store counts over all workers',
  rooms: 'outpost.io() or an adapter such as @socket.io/redis-adapter reaches the clients of all workers',
}

/** Every message of the supervisor, in one place: operators search their logs for them. */
export class SupervisorLog {
  #hostIsNoted = false
  readonly #local = new Set<LocalState>()
  /** State that a single worker keeps. It is not a problem as long as there is one worker. */
  readonly #ofOnlyWorker = new Set<LocalState>()
  /** Ids of workers that are out of use, as far as is known, and why. */
  readonly #out = new Map<string, string>()
  readonly #hints = new Set<string>()
  /** The last release whose own work ended when the instance fell asleep. */
  #asleepWith: string | undefined

  /** @param sticky what keeps a client at one worker, and so its session */
  constructor(
    private readonly log: Logger,
    private readonly sticky: Config['sticky'],
  ) {}

  /** Each once, whichever process gives it. */
  hint(message: string): void {
    if (this.#hints.has(message) || this.#hints.size >= MAX_HINTS) return
    this.#hints.add(message)
    this.log.warn(message)
  }

  /** A balancer has seen it. */
  security(child: Child, facts: Record<string, unknown>, message: string): void {
    this.log.warn({ ...facts, child: child.name }, message)
  }

  full(child: Child, connections: number): void {
    const facts = { child: child.name, connections }
    this.log.warn(facts, `${child.role} refuses connections: MAX_SOCKETS or its limit of open files is reached`)
  }

  failedToStart(child: Child, reason: string): void {
    this.log.error({ child: child.name, reason }, `${child.role} failed to start`)
  }

  /** HOST is set, and counts: the public port may be open to more than the app asked for. */
  appAsksFor(host: string | undefined, bound: string): void {
    if (this.#hostIsNoted || host === undefined || host === bound || !['::', '0.0.0.0'].includes(bound)) return
    this.#hostIsNoted = true
    this.log.warn(`app listens on ${host}, and the public port is open on HOST=${bound}: unset HOST to keep to ${host}`)
  }

  /** Every worker reports it. All that a worker keeps is lost when all end, but not rooms: their connections keep it. */
  keepsLocally(state: LocalState, pool: Pick<PoolSize, 'mayBeEmpty' | 'whenAwake'>): void {
    if (this.#local.has(state) || (state === 'sessions' && ['cookie', 'ip'].includes(this.sticky))) return
    const isLost = pool.mayBeEmpty && state !== 'rooms'
    if (pool.whenAwake < 2 && !isLost) {
      this.#ofOnlyWorker.add(state)
      return
    }
    this.#local.add(state)
    this.log.warn({ state }, `app keeps its ${state} in the memory of each worker: ${REMEDIES[state]}`)
  }

  /** A worker was waited for, and later ones with the same code are not. */
  waitsNoMore({ name, spec: { release } }: Child, by: ServedBy): void {
    const what = by === 'export' ? 'its default export is served' : 'its listener on another port is served'
    const message = `app did not listen on PORT in time: ${what}, and later starts of release ${release} do not wait`
    this.log.info({ child: name, release }, message)
  }

  /** No worker runs from now on. Each release is logged once. */
  endsOwnWork({ spec: { release } }: Child, { timers, connections }: Extract<Report, { type: 'own-work' }>): void {
    if (this.#asleepWith === release) return
    this.#asleepWith = release
    const ofTimers = timers === 1 ? 'a timer' : `${timers} timers`
    const parts = [
      ...(timers === 0 ? [] : [ofTimers]),
      ...(connections.length === 0 ? [] : [`open connections to ${connections.join(', ')}`]),
    ]
    const message = `app falls asleep with ${parts.join(' and ')}: they stop until the next request; WORKERS=1-N keeps them`
    this.log.warn({ release, timers, connections }, message)
  }

  /** Another number of workers is wanted from now on. */
  scaled(pool: Pick<PoolSize, 'mayBeEmpty' | 'whenAwake'>): void {
    if (pool.whenAwake > 1) for (const state of this.#ofOnlyWorker) this.keepsLocally(state, pool)
  }

  /** A decision about the number of workers. */
  autoscales(workers: number, reason: string): void {
    this.log.info({ workers }, reason)
  }

  targetState(by: Child, { id, state }: { id: string; state: string }): void {
    this.log.debug({ by: by.name, worker: id, state }, 'target changed state')
    if (state === 'ready' && this.#out.delete(id))
      this.log.info({ child: `worker ${id}` }, 'worker gets requests again')
  }

  /** Every balancing process tells it. */
  targetOut({ id, reason }: { id: string; reason: string }): void {
    if (this.#out.get(id) === reason) return
    this.#out.set(id, reason)
    this.log.warn({ child: `worker ${id}`, reason }, `worker gets no requests: ${reason}`)
  }

  replaces(child: Child, reason: string): void {
    this.log.info({ child: child.name, reason }, `${child.role} is being replaced: ${reason}`)
  }

  toleratesMemory(child: Child): void {
    const { rssBytes } = child.vitals
    this.log.error(
      { child: child.name, rssBytes },
      'worker is kept over WORKER_MAX_MEMORY: its place got a new worker less than a minute ago',
    )
  }

  fatalRequest({ method, path, count, seconds }: FatalRequestNews): void {
    const workers = count === 1 ? '1 worker' : `${count} workers`
    this.log.error({ method, path, count, seconds }, `${method} ${path} ended ${workers} in ${seconds} s`)
  }

  /** In mesh mode. */
  failedWith({ name: child }: Child, reason: string, requests: RequestsThen): void {
    const named = [...new Set(requests?.map(({ method, path }) => `${method} ${path}`))].slice(0, MAX_NAMED)
    const known = named.length > 0 ? named.join(', ') : 'no request'
    const had = requests === undefined ? 'requests that were not noted; from now on they are' : known
    this.log.warn({ child, reason, requests: named }, `worker failed while it had ${had}`)
  }

  reloaded(replaced: number): void {
    this.log.info({ replaced }, 'reload finished')
  }

  reloadFailed(error: Error): void {
    this.log.error({ err: error }, 'reload failed')
  }

  /** @param reason undefined when the child has missed the deadline of its stop, which is not logged */
  kills(child: Child, reason: string | undefined): void {
    if (reason === undefined) return
    this.log.error({ child: child.name, pid: child.pid, reason }, `${child.role} is killed: ${reason}`)
  }

  lost(child: Child, { kind, delayMs, isNews }: RestartVerdict): void {
    this.#out.delete(child.id)
    const { name, role, pid, ending, lastLines } = child
    const servedMs = Math.round(child.servedMs)
    const facts = { child: name, pid, ending, servedMs }
    if (kind === 'now') this.log.warn(facts, `${role} exited and is replaced`)
    else if (kind === 'backoff') {
      const when = servedMs === 0 ? 'before it was ready' : 'soon after it was ready'
      this.log.error({ ...facts, nextTryMs: delayMs, lastLines }, `${role} exited ${when}`)
    } else if (isNews) {
      this.log.error(
        { ...facts, lastLines },
        `${role} is in a crash loop: its place stays empty, and one start a minute is tried`,
      )
    }
  }
}
