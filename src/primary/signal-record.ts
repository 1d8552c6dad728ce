/** Records signals until they are asked for, one at a time. */
export class SignalRecord {
  readonly #noted: NodeJS.Signals[] = []
  #waiting: ((signal: NodeJS.Signals) => void) | undefined

  constructor() {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => this.#note(signal))
  }

  next(): Promise<NodeJS.Signals> {
    return new Promise(resolve => {
      const noted = this.#noted.shift()
      if (noted === undefined) this.#waiting = resolve
      else resolve(noted)
    })
  }

  async nextBut(ignored: NodeJS.Signals): Promise<NodeJS.Signals> {
    const signal = await this.next()
    return signal === ignored ? this.nextBut(ignored) : signal
  }

  #note(signal: NodeJS.Signals): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#noted.push(signal)
    else waiting(signal)
  }
}
