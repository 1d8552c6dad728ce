import { isFault } from './fault-signals.js'

/** How a process ended, and whether it did so because of itself. */
export class ChildEnding {
  #text = ''
  /** Undefined if something else than a signal ended it, or the primary for a reason. */
  #signal: NodeJS.Signals | undefined
  #killedFor: string | undefined

  /** An exit code, the name of a signal, "uncaught exception", or the reason why it was killed or never ran. */
  get text(): string {
    return this.#text
  }

  /** It hung, or broke. */
  get isFailure(): boolean {
    return this.#killedFor !== undefined || isFault(this.#signal)
  }

  /** It ended for any reason of its own, and not because somebody sent it a signal. */
  get isByFault(): boolean {
    return this.#signal === undefined || isFault(this.#signal)
  }

  noteCrash(): void {
    this.#text = 'uncaught exception'
  }

  /** The primary kills it for a reason. Only the first one counts. */
  noteKill(reason: string | undefined): void {
    this.#killedFor ??= reason
  }

  noteExit(text: string, signal: NodeJS.Signals | undefined): void {
    this.#text = this.#killedFor ?? text
    this.#signal = this.#killedFor === undefined ? signal : undefined
  }
}
