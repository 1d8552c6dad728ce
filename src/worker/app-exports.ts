import http from 'node:http'
import { createRequire } from 'node:module'
import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { AppError, messageOf } from './app-error.js'

/** The default export of an app's main module. */
export class AppExports {
  /** @param file the main module */
  constructor(private readonly file: string) {}

  /**
   * The exports of the module, once it is evaluated. A CommonJS module is never loaded a second time. An ES module must
   * have begun: what is imported before is not the main module.
   */
  async read(): Promise<unknown> {
    const { main } = createRequire(import.meta.url)
    if (main !== undefined) return unwrapDefault(await (main.exports as unknown))
    const module = (await import(pathToFileURL(realpathSync(this.file)).href)) as { default?: unknown }
    return unwrapDefault(await module.default)
  }

  /** Whether it is CommonJS, all of which has run. */
  static get areLoaded(): boolean {
    return createRequire(import.meta.url).main?.loaded === true
  }

  /**
   * Makes a server of it: of an Express app, a request handler, an `http.Server`, a promise of one, or a function of
   * the lent services that gives one.
   * @returns undefined when it is none of these
   * @throws {AppError} from a function of the app
   */
  async server(exported: unknown, lend: () => Promise<object>): Promise<http.Server | undefined> {
    if (!isFactory(exported)) return serverOf(exported)
    try {
      return serverOf(unwrapDefault(await exported(await lend())))
    } catch (error) {
      throw new AppError(this.file, `default export failed: ${messageOf(error)}`, error)
    }
  }
}

type Factory = (outpost: object) => unknown

/** CommonJS that was compiled from a module has its default export one level down. */
function unwrapDefault(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && '__esModule' in value && 'default' in value) return value.default
  return value
}

/** An Express app is a function, too, but one with methods; a plain handler takes two arguments; a class makes no app. */
function isFactory(value: unknown): value is Factory {
  return typeof value === 'function' && !isExpressApp(value) && !isClass(value) && value.length < 2
}

function isExpressApp(value: object): boolean {
  return 'handle' in value && typeof value.handle === 'function'
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function serverOf(value: unknown): http.Server | undefined {
  if (value instanceof http.Server) return value
  return typeof value === 'function' && !isClass(value) ? http.createServer(value as http.RequestListener) : undefined
}
