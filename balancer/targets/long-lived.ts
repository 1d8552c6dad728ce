import { giverTo } from '../contract/dynamic-threshold.js'
import type { UpgradedConnection } from '../transports/transport.js'
import type { LinkedList } from '../contract/linked-list.js'

/** A request that may be a poll. */
interface Bound {
  /** The account of its client. */
  readonly account?: object
  /** Ends a poll that waits. Returns false for anything else. */
  endPoll(): boolean
}

/** Upgraded connections, and polls that wait. They would keep a target from being drained. */
export class LongLived {
  readonly #upgraded = new Set<UpgradedConnection>()
  #isEnding = false
  #endingPolls: NodeJS.Timeout | undefined

  /** @param bound the requests among which polls are */
  constructor(private readonly bound: Pick<LinkedList<Bound>, 'size' | 'items'>) {}

  get upgraded(): number {
    return this.#upgraded.size
  }

  add(connection: UpgradedConnection): void {
    this.#upgraded.add(connection)
    if (this.#isEnding) connection.closeForRestart()
  }

  /** Returns false if it is not there any more. */
  delete(connection: UpgradedConnection): boolean {
    return this.#upgraded.delete(connection)
  }

  /** One more request is bound to the target. */
  noteBound(): void {
    if (this.#isEnding) this.#endPollsSoon()
  }

  /** Closes a few at a time, so that their clients do not all reconnect at once. */
  closeUpgraded(connections = [...this.#upgraded]): void {
    for (const connection of connections.splice(0, ENDED_AT_ONCE)) connection.closeForRestart()
    if (connections.length > 0) setTimeout(() => this.closeUpgraded(connections), PAUSE_MS).unref()
  }

  /** Ends all, a few at a time, and what comes from now on. */
  end(): void {
    this.#isEnding = true
    this.closeUpgraded()
    if (this.bound.size > 0) this.#endPollsSoon()
  }

  /** Nothing is left for this client: ends a poll of the client that has most. Returns false if there is none to end. */
  endPollFor(client: object): boolean {
    const requests = this.bound.items()
    const held = new Map<object, number>()
    for (const { account = this } of requests) held.set(account, (held.get(account) ?? 0) + 1)
    const giver = giverTo(held.get(client) ?? 0, held)
    return giver !== undefined && requests.some(request => request.account === giver && request.endPoll())
  }

  #endPollsSoon(): void {
    this.#endingPolls ??= setTimeout(() => {
      this.#endingPolls = undefined
      let left = ENDED_AT_ONCE
      for (const request of this.bound.items()) if (left > 0 && request.endPoll()) left -= 1
      if (this.bound.size > 0) this.#endPollsSoon()
    }, PAUSE_MS).unref()
  }
}

const ENDED_AT_ONCE = 50
const PAUSE_MS = 50
