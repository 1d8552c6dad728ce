import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A session of Engine.IO, on which Socket.IO is built, as the id in a request's query names it. */
export interface NamedSession {
  /** The target that has the session. */
  owner: string
  /** The request's URL with the id that the target gave. */
  url: string
}

/**
 * Engine.IO sessions over polling live in the memory of one target. The edge puts the name of that target, sealed, before
 * the session id in the answer that opens a session, and takes it off again in every later request. So no table and no
 * cookie is needed, and the app needs no change. A client cannot make such a name itself.
 */
export class SessionNames {
  /** @param key of this instance, shared by all balancers */
  constructor(private readonly key: string) {}

  /** Undefined for a request that belongs to no session, or to one with an id that the edge has not named. */
  read(url: string): NamedSession | undefined {
    if (!url.includes(PROTOCOL)) return undefined
    const [named, before = '', owner = '', seal = '', id = ''] = NAMED.exec(url) ?? []
    if (named === undefined || !isSame(seal, this.#sealOf(owner, id))) return undefined
    const at = url.indexOf(named)
    return { owner, url: `${url.slice(0, at)}${before}${id}${url.slice(at + named.length)}` }
  }

  /** The body of an answer that opens a session at `owner`, with the name of that target before the session id. */
  write(body: string, owner: string): string {
    const [opening, before = '', id = ''] = OPENED.exec(body) ?? []
    if (opening === undefined) return body
    return `${before}${owner}.${this.#sealOf(owner, id)}.${id}${body.slice(opening.length)}`
  }

  #sealOf(owner: string, id: string): string {
    return createHmac('sha256', this.key).update(`session ${owner} ${id}`).digest('base64url').slice(0, SEAL_LENGTH)
  }
}

/** Whether a request may be one of Engine.IO. Few are, so this comes first. */
export function speaksEngine({ url = '' }: IncomingMessage): boolean {
  return url.includes('EIO=')
}

/** Whether the answer to this request opens a session over polling. */
export function opensSession({ method, url = '' }: IncomingMessage): boolean {
  return url.includes(PROTOCOL) && method === 'GET' && url.includes('transport=polling') && !/[?&]sid=/.test(url)
}

/** Whether a client of Socket.IO 1 or 2 polls. It takes the session id for its own, so the edge cannot change that. */
export function isOldPoll({ url = '' }: IncomingMessage): boolean {
  return url.includes('EIO=3') && url.includes('transport=polling')
}

const PROTOCOL = 'EIO=4'
const SEAL_LENGTH = 16
const NAMED = /([?&]sid=)([\w-]{1,64})\.([\w-]{16})\.([\w.~-]{1,128})(?=&|$)/
const OPENED = /^(0\{"sid":")([\w.~-]{1,128})(?=")/

function isSame(given: string, sealed: string): boolean {
  return given.length === sealed.length && timingSafeEqual(Buffer.from(given), Buffer.from(sealed))
}
