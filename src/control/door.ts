import { once } from 'node:events'
import fs from 'node:fs'
import type { IncomingMessage, Server } from 'node:http'
import type { ControlErrorCode, RouteName } from './protocol.js'

/** Where the control API is reached, and by whom. */
export interface Door {
  /** @throws {Error} it cannot be opened */
  open(server: Server): Promise<void>
  /** Why a request is refused; undefined when it is not. @param route undefined: there is none */
  refusalOf(request: IncomingMessage, route: RouteName | undefined): ControlErrorCode | undefined
  /** Aborts when the permission of the request ends; undefined: it never ends. */
  permissionOf(request: IncomingMessage): AbortSignal | undefined
}

/** A unix socket that only this user may open. A client that can open it may do all. */
export function socketDoor(path: string): Door {
  return {
    open: async server => {
      await listening(server.listen(path))
      fs.chmodSync(path, 0o600)
    },
    refusalOf: () => undefined,
    permissionOf: () => undefined,
  }
}

/** The tokens that were given. */
export interface Tokens {
  /** A signal that ends with the token; undefined: it is none of them. */
  permissionOf(token: string): AbortSignal | undefined
}

/**
 * A stolen token must not make other tokens, nor revoke those of the owner. Only the user of this program decides what
 * replaces it.
 */
const SOCKET_ONLY = new Set<RouteName | undefined>(['tokens', 'createToken', 'revokeToken', 'upgrade'])

/**
 * A port on 127.0.0.1. Every user and every web page of this machine can reach it, so each request needs a token. Host
 * shows a page that has led a name of its own here (DNS rebinding), and Origin shows a page of elsewhere.
 * @param onRefused called for each request without a token, or of another place
 */
export function portDoor(port: number, tokens: Tokens, onRefused: () => void = () => undefined): Door {
  return {
    open: async server => {
      try {
        await listening(server.listen(port, '127.0.0.1'))
      } catch (error) {
        throw new Error(`ADMIN_PORT=${port} cannot be opened: ${(error as Error).message}`, { cause: error })
      }
    },
    refusalOf: (request, route) => {
      if (!isOwnHost(request.headers.host) || !isOwnOrigin(request.headers)) {
        onRefused()
        return 'FOREIGN_ORIGIN'
      }
      if (tokens.permissionOf(tokenIn(request)) === undefined) {
        onRefused()
        return 'UNAUTHORIZED'
      }
      return SOCKET_ONLY.has(route) ? 'SOCKET_ONLY' : undefined
    },
    permissionOf: request => tokens.permissionOf(tokenIn(request)),
  }
}

function tokenIn({ headers }: IncomingMessage): string {
  return /^Bearer +(\S{1,200})$/i.exec(headers.authorization ?? '')?.[1] ?? ''
}

function isOwnHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i.test(host ?? '')
}

/** Programs send none, and pages of this API the same as their Host. */
function isOwnOrigin({ origin, host }: IncomingMessage['headers']): boolean {
  return origin === undefined || origin.toLowerCase() === `http://${host ?? ''}`.toLowerCase()
}

async function listening(server: Server): Promise<void> {
  await once(server, 'listening')
  // A connection could not be accepted. Its client may try again.
  server.on('error', () => undefined)
}
