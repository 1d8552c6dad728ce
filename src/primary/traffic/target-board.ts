import type { EndedTarget, TargetSpec } from '../../ipc/messages.js'
import type { Child } from '../processes/child.js'

/** What the balancing processes have been told of the targets, and what each of them has found out about them. */
export class TargetBoard {
  readonly #told = new WeakMap<Child, string>()
  /** Workers that have exited, the last ones. */
  #ended: readonly EndedTarget[] = []
  readonly #ready = new Map<Child, Set<string>>()
  readonly #drained = new Map<Child, Set<string>>()

  /**
   * Each gets the whole list, so that one that has just started knows as much as the others.
   * @param crashed targets whose processes are about to exit
   */
  tell(balancing: readonly Child[], targets: TargetSpec[], crashed: readonly EndedTarget[] = []): void {
    const ended = [...this.#ended, ...crashed]
    const text = JSON.stringify([targets, ended])
    for (const child of balancing) {
      if (this.#told.get(child) === text) continue
      this.#told.set(child, text)
      child.send({ type: 'targets', targets, ...(ended.length === 0 ? {} : { ended }) })
    }
  }

  noteState(balancing: Child, targetId: string, state: string): void {
    if (state === 'ready') setOf(this.#ready, balancing).add(targetId)
    else setOf(this.#ready, balancing).delete(targetId)
  }

  noteDrained(balancing: Child, targetId: string): void {
    setOf(this.#drained, balancing).add(targetId)
  }

  forget(child: Child): void {
    if (child.role === 'worker') this.#ended = [...this.#ended, endOf(child)].slice(-REMEMBERED)
    this.#ready.delete(child)
    this.#drained.delete(child)
  }

  /** All of them have found it ready. */
  readyAtAll(balancing: readonly Child[], targetId: string): boolean {
    return balancing.every(child => this.#ready.get(child)?.has(targetId) === true)
  }

  /** None of them has a request of it in flight any more, or will have. */
  drainedAtAll(balancing: readonly Child[], targetId: string): boolean {
    return balancing.every(child => this.#drained.get(child)?.has(targetId) === true)
  }
}

/** Nothing before these is in flight any more. */
const REMEMBERED = 32

/** Signals by which a process ends because of what it does. */
const OF_ITS_OWN = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'])

function endOf({ id, ending }: Child): EndedTarget {
  return { id, fault: !ending.startsWith('SIG') || OF_ITS_OWN.has(ending) }
}

function setOf(map: Map<Child, Set<string>>, child: Child): Set<string> {
  const set = map.get(child) ?? new Set()
  map.set(child, set)
  return set
}
