import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AnswerCopy, ForwardedRequest, KeptAnswer } from './transport.js'

/** A path that ends like the name of a file. What never changes has one, as a rule. */
const FILE = /\.\w{1,8}$/

type Args = unknown[]

/** The part of a request that is needed to watch its answer. */
export type WatchedRequest = Pick<ForwardedRequest, 'request' | 'response' | 'addedCookies' | 'copyOf' | 'keptAnswer'>

/**
 * Watches the answer of a local app to a request for a file: it may have to be kept, or to give way to one that was.
 * Other requests are left alone, since each method that is replaced costs something.
 */
export function watchLocalFile(forwarded: WatchedRequest): void {
  const { method, url = '' }: IncomingMessage = forwarded.request
  if ((method === 'GET' || method === 'HEAD') && FILE.test(url)) new WatchedAnswer(forwarded).begin()
}

/** Stands between the app and the methods of its response. */
class WatchedAnswer {
  readonly #response: ServerResponse
  readonly #writeHead: (...args: Args) => ServerResponse
  readonly #write: (...args: Args) => boolean
  readonly #end: (...args: Args) => ServerResponse
  readonly #flushHeaders: () => void
  #copy: AnswerCopy | undefined
  #isLooked = false
  /** The headers of the app, where it writes them in a list. */
  #list: unknown[] | undefined
  /** The answer that takes the place of the app's. */
  #kept: KeptAnswer | undefined

  constructor(private readonly forwarded: WatchedRequest) {
    const { response } = forwarded
    this.#response = response
    // The method may have been replaced before.
    this.#writeHead = response.writeHead.bind(response) as (...args: Args) => ServerResponse
    this.#write = response.write.bind(response) as (...args: Args) => boolean
    this.#end = response.end.bind(response) as (...args: Args) => ServerResponse
    this.#flushHeaders = response.flushHeaders.bind(response)
  }

  begin(): void {
    Object.assign(this.#response, {
      writeHead: (...args: Args) => {
        if (this.#isReplaced(args[0])) return this.#response
        this.#list = args.find(Array.isArray)
        return this.#writeHead(...args)
      },
      flushHeaders: () => {
        if (!this.#isReplaced()) this.#flushHeaders()
      },
      write: (...args: Args) => {
        if (this.#isReplaced()) return dropped(args)
        const result = this.#write(...args)
        this.#look()
        this.#add(args)
        return result
      },
      end: (...args: Args) => {
        if (this.#isReplaced()) return this.#replace(args)
        const result = this.#end(...args)
        this.#look()
        this.#add(args)
        this.#copy?.end()
        this.#copy = undefined
        return result
      },
    })
  }

  /** @param status that the app is about to send */
  #isReplaced(status: unknown = this.#response.statusCode): boolean {
    if (this.#kept === undefined && status === 404 && !this.#response.headersSent) {
      this.#kept = this.forwarded.keptAnswer()
    }
    return this.#kept !== undefined
  }

  #replace(args: Args): ServerResponse {
    const response = this.#response
    const { head, body } = this.#kept as KeptAnswer
    if (!response.headersSent) {
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      this.#writeHead(200, head.rawHeaders)
    }
    return this.#end(body, ...args.filter(arg => typeof arg === 'function'))
  }

  /** Once the head is known. */
  #look(): void {
    if (this.#isLooked || !this.#response.headersSent) return
    this.#isLooked = true
    const response = this.#response
    if (response.statusCode !== 200) return
    const { addedCookies = [] } = this.forwarded
    const rawHeaders = this.#headers()
      // A cookie that is not the app's is for this client alone, and no part of what is kept.
      .filter(([name, value]) => name.toLowerCase() !== 'set-cookie' || !addedCookies.includes(value))
      .flat()
    this.#copy = this.forwarded.copyOf({
      statusMessage: response.statusMessage,
      headers: {},
      rawHeaders,
      rawTrailers: [],
    })
  }

  /** Node does not report a list that stands alone. */
  #headers(): Array<readonly [name: string, value: string]> {
    const response = this.#response
    const names = response.getHeaderNames()
    if (names.length === 0 && this.#list !== undefined) {
      const list = this.#list.flat()
      return list.flatMap((name, i) => (i % 2 === 0 ? [[String(name), String(list[i + 1])] as const] : []))
    }
    return names.flatMap(name => [response.getHeader(name)].flat().map(value => [name, String(value)] as const))
  }

  #add([chunk, encoding]: Args): void {
    if (this.#copy === undefined) return
    if (typeof chunk === 'string') this.#copy.add(Buffer.from(chunk, codingOf(encoding)))
    else if (chunk instanceof Uint8Array) this.#copy.add(Buffer.from(chunk))
  }
}

function codingOf(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8'
}

/** Writes of the app that are dropped. */
function dropped(args: Args): true {
  const done = args.find(arg => typeof arg === 'function')
  if (done !== undefined) process.nextTick(done)
  return true
}
