import { IncomingMessage, ServerResponse, type Server } from 'node:http'
import { Socket } from 'node:net'

/** The classes that a server makes its requests and responses of: options of `http.createServer`. */
export interface MessageClasses {
  IncomingMessage: typeof IncomingMessage
  ServerResponse: typeof ServerResponse
}

/** The prototypes that an Express app gives to its messages. */
interface ExpressApp {
  request: IncomingMessage
  response: ServerResponse
}

/** Since Node 24, an object whose prototype was changed is fast enough, and what is done here costs more than it saves. */
export const areSlowOnceChanged = Number.parseInt(process.versions.node) < 24

const NODES_OWN = { IncomingMessage, ServerResponse }

/**
 * Makes the server of an Express app create its messages with the prototypes that Express needs. Otherwise Express
 * changes them for each request. All properties of both objects are slow from then on, and V8 moves nearly half of the
 * garbage of a request into the old space. The app sees no difference: what it sets is there already.
 * @returns undefined, and leaves the server alone, when anybody but an Express app is there to listen for requests, or
 *   when its messages are not Node's own with something added
 */
export function bearExpressMessages(server: Server): MessageClasses | undefined {
  const listeners: unknown[] = server.listeners('request')
  const [app] = listeners
  if (listeners.length !== 1 || !isExpressApp(app) || !makesNodesMessages(server)) return undefined
  const plain = new IncomingMessage(new Socket())
  if (overrides(app.request, plain) || overrides(app.response, new ServerResponse(plain))) return undefined
  const classes = {
    IncomingMessage: withPrototype(IncomingMessage, app.request),
    ServerResponse: withPrototype(ServerResponse, app.response),
  }
  for (const [symbol, name] of classSymbols(server)) Object.assign(server, { [symbol]: classes[name] })
  return classes
}

/** Makes a message plain again for a listener other than the Express app, whose properties Express's getters would hide. */
export function asNodesOwn(message: IncomingMessage | ServerResponse): void {
  Object.setPrototypeOf(
    message,
    message instanceof IncomingMessage ? IncomingMessage.prototype : ServerResponse.prototype,
  )
}

function isExpressApp(value: unknown): value is ExpressApp {
  if (typeof value !== 'function' || !('request' in value) || !('response' in value)) return false
  return value.request instanceof IncomingMessage && value.response instanceof ServerResponse
}

/** Node's classes are functions, and are called as such: `Reflect.construct` takes five times as long. */
function withPrototype<Class>(base: Class, prototype: object): Class {
  const initialize = base as (this: object, first: unknown, second: unknown) => void
  function Message(this: object, first: unknown, second: unknown): void {
    initialize.call(this, first, second)
  }
  Message.prototype = prototype
  return Message as Class
}

/**
 * Whether anything between the app and Node has a name that a plain message has. The properties that Node sets in its
 * constructor must be the same as without it, and so must Node's own answers, which it gives before the app or in its place.
 */
function overrides(prototype: object, plain: object): boolean {
  const nodes: unknown = Object.getPrototypeOf(plain)
  for (let each = prototype; each !== nodes; each = Object.getPrototypeOf(each) as object) {
    if (Reflect.ownKeys(each).some(name => name !== 'constructor' && name in plain)) return true
  }
  return false
}

export function makesNodesMessages(server: Server): boolean {
  const found = classSymbols(server)
  return found.every(([symbol, name]) => (server as unknown as Record<symbol, unknown>)[symbol] === NODES_OWN[name])
}

/** The app created its server without naming the classes. Node keeps them under symbols of its own. */
function classSymbols(server: Server): Array<[symbol: symbol, name: keyof MessageClasses]> {
  return Object.getOwnPropertySymbols(server).flatMap(symbol => {
    const name = symbol.description
    return name === 'IncomingMessage' || name === 'ServerResponse' ? [[symbol, name] as const] : []
  })
}
