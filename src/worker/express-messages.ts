import { IncomingMessage, ServerResponse, type Server } from 'node:http'

/** The classes that a server makes its requests and responses of: options of `http.createServer`. */
export interface MessageClasses {
  IncomingMessage: typeof IncomingMessage
  ServerResponse: typeof ServerResponse
}

/** What an Express app puts in place of the prototypes of whatever it is handed. */
interface ExpressApp {
  request: IncomingMessage
  response: ServerResponse
}

/**
 * Has the server of an Express app make its messages with the prototypes that Express wants of them. Otherwise Express
 * changes them for each request, which makes all properties of both objects slow from then on, and has V8 carry nearly
 * half of what a request leaves behind into the old space. The app sees no difference: what it sets is there already.
 * @returns undefined, and leaves the server alone, when anybody but an Express app is there to listen for requests
 */
export function bearExpressMessages(server: Server): MessageClasses | undefined {
  const listeners: unknown[] = server.listeners('request')
  const [app] = listeners
  if (listeners.length !== 1 || !isExpressApp(app)) return undefined
  const classes = {
    IncomingMessage: withPrototype(IncomingMessage, app.request),
    ServerResponse: withPrototype(ServerResponse, app.response),
  }
  adopt(server, classes)
  return classes
}

function isExpressApp(value: unknown): value is ExpressApp {
  if (typeof value !== 'function' || !('request' in value) || !('response' in value)) return false
  return value.request instanceof IncomingMessage && value.response instanceof ServerResponse
}

/** Node's classes are functions, and are called as such: by `Reflect.construct` a message would cost five times as much. */
function withPrototype<Class>(base: Class, prototype: object): Class {
  const initialize = base as (this: object, first: unknown, second: unknown) => void
  function Message(this: object, first: unknown, second: unknown): void {
    initialize.call(this, first, second)
  }
  Message.prototype = prototype
  return Message as Class
}

/** The app made its server before anybody could name the classes: there they stand under Node's own symbols. */
function adopt(server: Server, classes: MessageClasses): void {
  for (const symbol of Object.getOwnPropertySymbols(server)) {
    const name = symbol.description
    if (name === 'IncomingMessage' || name === 'ServerResponse') Object.assign(server, { [symbol]: classes[name] })
  }
}
