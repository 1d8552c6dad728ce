import http from 'node:http'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import type { ListenTakeover } from './listen-takeover.js'

/** The module that APP names does not give an app. */
export class AppError extends Error {
  constructor(path: string, reason: string, cause?: unknown) {
    super(`APP=${path}: ${reason}`, { cause })
    this.name = 'AppError'
  }
}

/** An app may connect to something before it listens. After this time the log says what the worker waits for. */
const HINT_AFTER_MS = 10_000

/**
 * Loads the module and finds its server: the server that listens, or the default export. That is an Express app, a
 * request handler, an `http.Server`, a promise of one, or a function of the lent services (`(outpost) => app`,
 * may be async). The primary sets the time limit.
 * @throws {AppError}
 */
export async function loadApp(
  path: string,
  outpost: object,
  takeover: ListenTakeover,
  log: { error(message: string): void },
): Promise<http.Server> {
  let exported: unknown
  try {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown }
    exported = unwrapDefault(await module.default)
    if (isFactory(exported)) exported = unwrapDefault(await exported(outpost))
  } catch (error) {
    throw new AppError(path, `module threw while it was loaded: ${messageOf(error)}`, error)
  }
  const made = serverOf(exported)
  if (made !== undefined && !takeover.hasTaken) {
    takeover.settle()
    return made
  }
  const shown = inspect(exported, { depth: 0 })
  const hint = setTimeout(
    () => log.error(`app is not served yet: its default export is ${shown}, and it does not listen`),
    HINT_AFTER_MS,
  )
  return takeover.taken.finally(() => clearTimeout(hint))
}

type Factory = (outpost: object) => unknown

/** CommonJS that was compiled from a module has its default export one level down. */
function unwrapDefault(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && '__esModule' in value && 'default' in value) return value.default
  return value
}

/** An Express app is a function, too, but one with methods; a plain handler takes two arguments. */
function isFactory(value: unknown): value is Factory {
  return typeof value === 'function' && !isExpressApp(value) && value.length < 2
}

function isExpressApp(value: object): boolean {
  return 'handle' in value && typeof value.handle === 'function'
}

function serverOf(value: unknown): http.Server | undefined {
  if (value instanceof http.Server) return value
  return typeof value === 'function' ? http.createServer(value as http.RequestListener) : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
