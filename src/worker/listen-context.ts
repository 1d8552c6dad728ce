import { AsyncLocalStorage } from 'node:async_hooks'
import type { Server } from 'node:net'

/** A registered symbol, because the preload and the modules of the worker are two programs. */
const context = Symbol.for('outpost.listen-context')

interface Listening extends Server {
  [context]?: (take: () => void) => void
}

/** Keeps what the stores of the app (`AsyncLocalStorage`) hold while its server begins to listen. */
export function keepListenContext(server: Server): void {
  Object.defineProperty(server, context, { value: AsyncLocalStorage.snapshot(), configurable: true })
}

/** Takes a connection for a server. Its requests see in the stores what these held at the listen, as under node. */
export function inListenContext(server: Listening, take: () => void): void {
  const run = server[context]
  if (run === undefined) take()
  else run(take)
}
