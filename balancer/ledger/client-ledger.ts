import { clientKey } from '../contract/client-key.js'
import { ClientAccount, type SharedResources } from './client-account.js'
import { SharedResource } from './holding.js'

/** How much there is for all clients together, at this moment. */
export interface Capacities {
  connections(): number
  places(): number
  polls(): number
  parsedBytes(): number
  heldBytes(): number
}

/** Empty accounts are removed when there are twice as many accounts as after the last removal. */
const FEWEST_TO_SWEEP = 1_024
/** The log names at most this many clients that reach a share. */
const MAX_TOLD = 20
/** The largest holder is looked for this often at most. */
const LOOK_MS = 50

/**
 * The holdings of every client: its connections, its requests in flight, and the memory that these take. No client
 * gets so much of anything that nothing is left for the others.
 */
export class ClientLedger {
  readonly resources: SharedResources
  readonly #accounts = new Map<string, ClientAccount>()
  readonly #told = new Set<string>()
  readonly #tell: (client: string, resource: string) => void
  #sweepAt = FEWEST_TO_SWEEP
  #largest: ClientAccount | undefined
  #lookedAt = -Infinity

  /** @param onShareReached called once for a client and what it may have no more of */
  constructor(capacities: Capacities, onShareReached: (client: string, resource: string) => void = () => undefined) {
    const tell = (client: string, resource: string): void => {
      const line = `${client} ${resource}`
      if (this.#told.has(line) || this.#told.size >= MAX_TOLD) return
      this.#told.add(line)
      onShareReached(client, resource)
    }
    this.#tell = tell
    const shared = (name: string, of: keyof Capacities, keepsSome = false): SharedResource =>
      new SharedResource(name, () => capacities[of](), tell, keepsSome)
    this.resources = {
      connections: shared('open connections', 'connections'),
      places: shared('requests in flight', 'places', true),
      polls: shared('long polls', 'polls'),
      parsedBytes: shared('pipelined requests', 'parsedBytes'),
      heldBytes: shared('request bodies in memory', 'heldBytes'),
    }
  }

  /** The account of the client at this address. Not to be kept for longer than something is held in it. */
  accountOf(address: string): ClientAccount {
    const key = clientKey(address)
    const known = this.#accounts.get(key)
    if (known !== undefined) return known
    if (this.#accounts.size >= this.#sweepAt) this.#sweep()
    const account = new ClientAccount(key, this.resources, resource => this.#tell(key, resource))
    this.#accounts.set(key, account)
    return account
  }

  get size(): number {
    return this.#accounts.size
  }

  /** The account with the most connections. Looked for rarely, so it may have been overtaken since. */
  largest(now: number): ClientAccount | undefined {
    if (now - this.#lookedAt < LOOK_MS) return this.#largest
    this.#lookedAt = now
    this.#largest = undefined
    for (const account of this.#accounts.values()) {
      if (account.connections.held > (this.#largest?.connections.held ?? 0)) this.#largest = account
    }
    return this.#largest
  }

  #sweep(): void {
    for (const [key, account] of this.#accounts) if (account.isEmpty) this.#accounts.delete(key)
    this.#sweepAt = Math.max(FEWEST_TO_SWEEP, 2 * this.#accounts.size)
  }
}
