import type { PublicPort } from './host/public-port.js'
import type { SupervisorLog } from './supervisor-log.js'

/** Lets the processes that accept connections listen on the public port. */
export interface Listening {
  /** @returns whether connections are accepted at once. Otherwise a report says so. */
  listen(): boolean
}

/** The public port between its binding and the first answer. With HOST unset, an app says where to listen. */
export class PortOpening {
  #state: 'bound' | 'opening' | 'open' | 'accepting' | 'closed' = 'bound'
  /** Resolves when a request can be answered. Rejects with a `PortError` when another program took the port. */
  readonly serving: Promise<void>
  #serve: () => void = () => undefined
  #fail: (error: Error) => void = () => undefined

  constructor(
    private readonly publicPort: PublicPort,
    private readonly listening: Listening,
    private readonly log: SupervisorLog,
    /** Resolves when the servers that workers use are there. Clients at an inherited port wait for it. */
    private readonly whenServersServe: () => Promise<void>,
  ) {
    this.serving = new Promise((resolve, reject) => {
      this.#serve = resolve
      this.#fail = reject
    })
  }

  get isAccepting(): boolean {
    return this.#state === 'accepting'
  }

  open(): void {
    if (this.#state !== 'closed') this.#state = this.listening.listen() ? 'accepting' : 'open'
  }

  /** @param host the address that the app asked for; HOST counts before it */
  openAt(host: string | undefined): void {
    const { publicPort } = this
    if (this.#state !== 'bound') return this.log.appAsksFor(host, publicPort.host)
    this.#state = 'opening'
    // Clients wait at a port that was inherited: it stays where it is.
    const isThere = host === undefined || host === publicPort.host || publicPort.isInherited
    if (publicPort.isInherited) this.log.appAsksFor(host, publicPort.host)
    const whenServersServe = publicPort.isInherited ? this.whenServersServe() : Promise.resolve()
    const moved = isThere ? whenServersServe : publicPort.moveTo(host)
    moved.then(() => this.#moved()).catch(this.#fail)
  }

  /** A balancer accepts connections. */
  noteAccepting(): void {
    if (this.#state !== 'closed') this.#state = 'accepting'
  }

  /** A balancer could not listen. Once one balancer has the port, no other can lose it. */
  noteLost(): void {
    this.#fail(this.publicPort.lost())
  }

  /** A request can be answered. */
  noteServing(): void {
    this.#serve()
  }

  close(): void {
    this.#state = 'closed'
    this.publicPort.close()
  }

  /** An instance that stopped meanwhile has closed the old handle, not the new one. */
  #moved(): void {
    if (this.#state === 'closed') this.publicPort.close()
    else this.open()
  }
}
