import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import type { EndedTarget, KnownFatalRequest, TargetSpec } from '#balancer/contract/targets.js'
import type { Child } from '../processes/child.js'

/** The targets that each balancing process has been sent, and the states that each has reported. */
export class TargetBoard {
  readonly #told = new WeakMap<Child, string>()
  /** The last orders about the edge. A process that was sent none has none. */
  readonly #edge = new WeakMap<Child, string>()
  /** The pause in which nothing was in flight any more. */
  readonly #quiet = new WeakMap<Child, number>()
  /** The number of the newest list that each process has been sent, and of the newest that it goes by. */
  readonly #sent = new WeakMap<Child, number>()
  readonly #routed = new WeakMap<Child, number>()
  #lists = 0
  /** Workers that have exited, the last ones. */
  #ended: readonly EndedTarget[] = []
  /** The workers that a request has ended, those included that are about to exit. */
  #explained: readonly string[] = []
  readonly #ready = new Map<Child, Set<string>>()
  readonly #withoutClients = new WeakSet<Child>()
  readonly #drained = new Map<Child, Set<string>>()

  /**
   * Sends the whole list to each process, so a process that has just started has the same targets as the others.
   * @param crashed targets whose processes are about to exit
   * @param fatal requests that ended workers
   * @param edge sent before the list, so a process that goes by the list obeys it
   */
  tell(
    balancing: readonly Child[],
    targets: TargetSpec[],
    crashed: readonly EndedTarget[] = [],
    fatal: KnownFatalRequest[] = [],
    edge: EdgeOrder = {},
  ): void {
    const ended = [...this.#ended, ...crashed].map(each => this.#withReason(each))
    const balancers = balancing.length
    const news = { ...(ended.length === 0 ? {} : { ended }), ...(fatal.length === 0 ? {} : { fatal }) }
    const order = JSON.stringify(edge)
    const text = JSON.stringify([targets, balancers, ended, fatal])
    const list = ++this.#lists
    for (const child of balancing) {
      const isOrdered = (this.#edge.get(child) ?? NO_ORDER) === order
      if (isOrdered && this.#told.get(child) === text) continue
      if (!isOrdered) this.#tellEdge(child, edge, order)
      this.#told.set(child, text)
      this.#sent.set(child, list)
      child.send({ type: 'targets', list, targets, balancers, ...news })
    }
  }

  /** Lets requests that wait go on, at processes that get no further list. What else is ordered stays. */
  endPause(balancing: readonly Child[], { pausedUntil: _, ...edge }: EdgeOrder): void {
    const order = JSON.stringify(edge)
    for (const child of balancing) if ((this.#edge.get(child) ?? NO_ORDER) !== order) this.#tellEdge(child, edge, order)
  }

  #tellEdge(child: Child, order: EdgeOrder, text: string): void {
    this.#edge.set(child, text)
    child.send({ type: 'edge', order })
  }

  noteQuiet(balancing: Child, pausedUntil: number): void {
    this.#quiet.set(balancing, pausedUntil)
  }

  /** Whether nothing is in flight any more at any balancing process since this pause. */
  quietAtAll(balancing: readonly Child[], pausedUntil: number): boolean {
    return balancing.every(child => this.#quiet.get(child) === pausedUntil)
  }

  noteRouted(balancing: Child, list: number): void {
    this.#routed.set(balancing, list)
  }

  /** Whether all balancing processes go by the newest list that they have been sent. */
  routedAtAll(balancing: readonly Child[]): boolean {
    return balancing.every(child => this.#routed.get(child) === this.#sent.get(child))
  }

  /** A balancing process has found the request that ended this worker. */
  noteReason(targetId: string): void {
    this.#explained = [...this.#explained, targetId].slice(-REMEMBERED)
  }

  noteState(balancing: Child, targetId: string, state: string): void {
    if (state === 'ready') setOf(this.#ready, balancing).add(targetId)
    else setOf(this.#ready, balancing).delete(targetId)
  }

  noteClientsGone(balancing: Child): void {
    this.#withoutClients.add(balancing)
  }

  /** Whether a balancing process that drains needs to wait for clients no longer. */
  hasNoClients(balancing: Child): boolean {
    return this.#withoutClients.has(balancing)
  }

  noteDrained(balancing: Child, targetId: string): void {
    setOf(this.#drained, balancing).add(targetId)
  }

  forget(child: Child): void {
    const end = { id: child.id, fault: child.endedByFault }
    if (child.role === 'worker') this.#ended = [...this.#ended, end].slice(-REMEMBERED)
    this.#ready.delete(child)
    this.#drained.delete(child)
  }

  #withReason(ended: EndedTarget): EndedTarget {
    return this.#explained.includes(ended.id) ? { ...ended, explained: true } : ended
  }

  /** Whether this balancing process has found the target ready. */
  readyAt(balancing: Child, targetId: string): boolean {
    return this.#ready.get(balancing)?.has(targetId) === true
  }

  /** Whether all balancing processes have found the target ready. */
  readyAtAll(balancing: readonly Child[], targetId: string): boolean {
    return balancing.every(child => this.readyAt(child, targetId))
  }

  /** Whether no balancing process has, or will have, a request in flight at the target. */
  drainedAtAll(balancing: readonly Child[], targetId: string): boolean {
    return balancing.every(child => this.#drained.get(child)?.has(targetId) === true)
  }
}

const NO_ORDER = '{}'

/** Nothing before these is in flight any more. */
const REMEMBERED = 32

function setOf(map: Map<Child, Set<string>>, child: Child): Set<string> {
  const set = map.get(child) ?? new Set()
  map.set(child, set)
  return set
}
