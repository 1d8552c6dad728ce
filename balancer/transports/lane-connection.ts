import { AnswerParser, type AnswerSink } from './answer-parser.js'

/** Carries the bytes of one connection to a target. */
export interface Link {
  /** It shares one socket with others. */
  readonly isShared: boolean
  readonly isConnecting: boolean
  write(text: string): void
  pause(): void
  resume(): void
  destroy(): void
}

/** A request that a connection carries. */
export interface Carried extends AnswerSink {
  /** All that came together has been parsed. */
  received(): void
  /** The connection is gone, or cannot be trusted, and the end of the answer has not come. */
  brokeOff(error: Error): void
}

/** Where connections wait for their next request. */
export interface IdleConnections {
  /** @param seconds how long the target keeps it unused; undefined when it does not say */
  add(connection: LaneConnection, seconds: number | undefined): void
  remove(connection: LaneConnection): void
}

/**
 * A connection to a target that carries one request at a time. The next one is sent when the whole answer to the last
 * has come, and only if everything about it was right: after a fault the connection is destroyed.
 */
export class LaneConnection {
  readonly #parser = new AnswerParser()
  #carried: Carried | undefined
  #isPaused = false
  #isDestroyed = false
  /** While it waits for a request: when it is too old for one, in the clock of `performance.now()`. */
  idleUntil = 0

  constructor(
    private readonly link: Link,
    private readonly idle: IdleConnections,
  ) {}

  get isShared(): boolean {
    return this.link.isShared
  }

  get isConnecting(): boolean {
    return this.link.isConnecting
  }

  /** Sends a request. @param message all of it, one character a byte */
  carry(message: string, toHead: boolean, carried: Carried): void {
    this.#carried = carried
    this.#parser.expect(toHead, carried)
    this.link.write(message)
  }

  /** @param more whether the request can take more of its answer now */
  flow(more: boolean): void {
    if (this.#isPaused !== more || this.#isDestroyed) return
    this.#isPaused = !more
    if (more) this.link.resume()
    else this.link.pause()
  }

  destroy(): void {
    this.#isDestroyed = true
    this.#carried = undefined
    this.link.destroy()
  }

  /** Called with each piece that arrives. */
  onData(bytes: Buffer): void {
    const carried = this.#carried
    if (this.#isDestroyed) return
    let fault: Error | undefined
    try {
      this.#parser.push(bytes)
    } catch (error) {
      fault = error as Error
    }
    const isOver = this.#parser.idle
    if (fault !== undefined) this.#distrust()
    else if (isOver) this.#beFree()
    if (fault === undefined || isOver) carried?.received()
    else carried?.brokeOff(fault)
  }

  /** Called when the target has ended the connection. */
  onEnd(): void {
    const carried = this.#carried
    if (this.#isDestroyed) return
    let fault: Error | undefined
    try {
      this.#parser.finish()
    } catch (error) {
      fault = error as Error
    }
    this.#distrust()
    if (fault === undefined) carried?.received()
    else carried?.brokeOff(fault)
  }

  /** Called when the connection is gone. */
  onClose(error: Error | undefined): void {
    const carried = this.#carried
    if (this.#isDestroyed) return
    this.#distrust()
    carried?.brokeOff(error ?? new Error('connection closed without an answer'))
  }

  #beFree(): void {
    this.#carried = undefined
    if (!this.#parser.reusable) return this.destroy()
    this.flow(true)
    this.idle.add(this, this.#parser.idleSeconds)
  }

  #distrust(): void {
    if (this.#carried === undefined) this.idle.remove(this)
    this.destroy()
  }
}
