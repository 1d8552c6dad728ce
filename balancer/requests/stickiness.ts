import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientIdentity } from '../contract/client-envelope.js'
import type { BalancerOptions } from '../options.js'
import type { Target } from '../targets/target.js'
import type { TargetPool } from '../targets/target-pool.js'

export interface StickyRequest {
  readonly request: IncomingMessage
  readonly client: ClientIdentity
}

/**
 * Keeps the requests of a client at one target, for apps that keep sessions in memory. When that target is full or is
 * replaced, another one serves the client.
 */
export class Stickiness {
  /** With `connection`: the target of each connection of a client. */
  readonly #byConnection = new WeakMap<Socket, Target>()

  constructor(
    private readonly pool: TargetPool,
    private readonly options: Pick<BalancerOptions, 'sticky' | 'identityKey'>,
  ) {}

  /** The target that a request belongs to; undefined when any will do. */
  targetOf(item: StickyRequest): Target | undefined {
    const target = this.#preferredBy(item)
    return target !== undefined && !target.full && this.pool.pickable.includes(target) ? target : undefined
  }

  /**
   * Notes which target a request went to.
   * @returns the cookie that its answer is to set, if any
   */
  taken({ request, client }: StickyRequest, target: Target): string | undefined {
    const { sticky } = this.options
    if (sticky === 'connection') this.#byConnection.set(request.socket, target)
    if (sticky !== 'cookie' || this.#byCookie(request) !== undefined) return undefined
    const secure = client.protocol === 'https' ? '; Secure' : ''
    return `${COOKIE}=${target.id}.${this.#sealOf(target.id)}; Path=/; HttpOnly; SameSite=Lax${secure}`
  }

  #preferredBy({ request, client }: StickyRequest): Target | undefined {
    switch (this.options.sticky) {
      case 'cookie':
        return this.#byCookie(request)
      case 'ip':
        return this.#byAddress(client.address)
      case 'connection':
        return this.#byConnection.get(request.socket)
      default:
        return undefined
    }
  }

  #byCookie({ headers: { cookie } }: IncomingMessage): Target | undefined {
    const [, id = '', seal = ''] = VALUE.exec(cookie ?? '') ?? []
    return id !== '' && isSame(seal, this.#sealOf(id)) ? this.pool.get(id) : undefined
  }

  /** The target with the highest hash. When a target leaves, only its own clients move. */
  #byAddress(address: string): Target | undefined {
    let [best, highest]: [Target | undefined, string] = [undefined, '']
    for (const target of this.pool.pickable) {
      const hash = createHash('sha1').update(`${target.id} ${address}`).digest('hex')
      if (hash > highest) [best, highest] = [target, hash]
    }
    return best
  }

  #sealOf(id: string): string {
    return createHmac('sha256', this.options.identityKey).update(`cookie ${id}`).digest('base64url').slice(0, 16)
  }
}

const COOKIE = 'outpost_worker'
const VALUE = /(?:^|;\s*)outpost_worker=([\w-]{1,64})\.([\w-]{16})(?=;|$)/

function isSame(given: string, sealed: string): boolean {
  return given.length === sealed.length && timingSafeEqual(Buffer.from(given), Buffer.from(sealed))
}
