import { lookup } from 'node:dns/promises'
import { bindAddress, bindReason, type BoundHandle } from './bound-handle.js'

/** The public port cannot be bound. */
export class PortError extends Error {
  constructor(
    host: string,
    port: number,
    reason: string,
    private readonly errno = 0,
  ) {
    super(`PORT=${port}: cannot be bound on HOST=${host}: ${reason}`)
    this.name = 'PortError'
  }

  /** This machine has no address of that family. */
  get lacksFamily(): boolean {
    return NO_FAMILY.has(this.errno)
  }
}

/** Where Node listens unless it is told where: on both families, or on IPv4 where there is no IPv6. */
const EVERYWHERE = ['::', '0.0.0.0'] as const

/**
 * The public port. The primary binds it and keeps it open until its own end. It does not accept on the port, but passes
 * it to the balancers, which do. Once one of them has listened on it, the kernel accepts connections, even while the
 * last balancer is being replaced.
 */
export class PublicPort {
  #handle: BoundHandle
  #host: string
  readonly port: number
  /** Another program has bound it, and clients connect to it already. */
  readonly isInherited: boolean

  private constructor({ handle, host, port }: BoundPort, isInherited = false) {
    this.#handle = handle
    this.#host = host
    this.port = port
    this.isInherited = isInherited
  }

  /**
   * @param host undefined for all addresses of both families
   * @throws {PortError}
   */
  static async bind(host: string | undefined, port: number): Promise<PublicPort> {
    if (host !== undefined) return new PublicPort(await bind(host, port))
    const [both, ipv4] = EVERYWHERE
    const bound = await bind(both, port).catch((error: unknown) => {
      if (error instanceof PortError && error.lacksFamily) return bind(ipv4, port)
      throw error
    })
    return new PublicPort(bound)
  }

  /** The port of the program before this one. */
  static inherit(bound: BoundPort): PublicPort {
    return new PublicPort(bound, true)
  }

  get handle(): BoundHandle {
    return this.#handle
  }

  get host(): string {
    return this.#host
  }

  /** Binds the port to another address, before anybody listens on it. @throws {PortError} */
  async moveTo(host: string): Promise<void> {
    this.#handle.close()
    const { handle } = await bind(host, this.port)
    this.#handle = handle
    this.#host = host
  }

  /** The error for an instance that bound the port but listened too late: two can bind a port, but only one listens. */
  lost(errno = -98): PortError {
    return new PortError(this.host, this.port, bindReason(errno))
  }

  close(): void {
    this.#handle.close()
  }
}

/** A bound port and its address. */
export interface BoundPort {
  handle: BoundHandle
  host: string
  port: number
}

async function bind(host: string, port: number): Promise<BoundPort> {
  const address = await lookup(host).catch(() => undefined)
  if (address === undefined) throw new PortError(host, port, 'no such host')
  const bound = bindAddress(address.address, port)
  if (typeof bound === 'number') throw new PortError(host, port, bindReason(bound), bound)
  return { ...bound, host }
}

/** EAFNOSUPPORT, EADDRNOTAVAIL */
const NO_FAMILY = new Set([-97, -99])
