/** One request of the model. Times in milliseconds. */
export interface SimulatedRequest {
  readonly cameAt: number
  /** Its time on the event loop. */
  readonly workMs: number
}

/** A worker as a queue: its event loop does one request at a time, and each then waits for a database. */
export class SimulatedWorker {
  /** Not begun, or under way. */
  readonly #queue: SimulatedRequest[] = []
  /** When the answers of what the event loop has done are complete, in their order. */
  readonly #answering: number[] = []
  #doneAt = Infinity
  #busyMs = 0
  #came = 0
  /** The busy time of the event loop is counted up to here. */
  #countedTo = 0
  isLeaving = false

  constructor(
    readonly name: string,
    readonly readyAt: number,
    /** How long an answer waits for others after the event loop's work. */
    private readonly waitMs: number,
  ) {}

  /** When the event loop has done the request that it works on. */
  get doneAt(): number {
    return this.#doneAt
  }

  inFlight(now: number): number {
    while ((this.#answering[0] ?? Infinity) <= now) this.#answering.shift()
    return this.#queue.length + this.#answering.length
  }

  take(request: SimulatedRequest, now: number): void {
    this.#came += 1
    this.#queue.push(request)
    if (this.#queue.length === 1) this.#begin(request, now)
  }

  /** The event loop has done its request. @returns how long that was in flight, with its wait */
  finish(): number {
    const now = this.#doneAt
    this.#busyMs += now - this.#countedTo
    const request = this.#queue.shift()
    const next = this.#queue[0]
    this.#doneAt = Infinity
    if (next !== undefined) this.#begin(next, now)
    const answeredAt = now + this.waitMs
    this.#answering.push(answeredAt)
    return answeredAt - (request?.cameAt ?? now)
  }

  /** Its report about the last second, which ends now. */
  measure(now: number): { inFlight: number; streaming: number; requestsPerSecond: number; loopUse: number } {
    if (this.#queue.length > 0) {
      this.#busyMs += now - this.#countedTo
      this.#countedTo = now
    }
    const measured = {
      inFlight: this.inFlight(now),
      streaming: 0,
      requestsPerSecond: this.#came,
      loopUse: Math.min(1, this.#busyMs / 1_000),
    }
    this.#busyMs = 0
    this.#came = 0
    return measured
  }

  #begin(request: SimulatedRequest, now: number): void {
    this.#countedTo = now
    this.#doneAt = now + request.workMs
  }
}
