import { once } from 'node:events'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { S3Error } from '../errors.js'
import { xmlDocument, type XmlFields } from './xml-writer.js'

/** How long a refused client may keep sending before its connection is cut. It has time to read the answer. */
const LINGER_MS = 5_000

/** The answer to one request. */
export class Reply {
  /** True while the client waits for `100 Continue` before it sends its body. */
  #awaitsContinue: boolean

  constructor(
    readonly requestId: string,
    private readonly incoming: IncomingMessage,
    private readonly response: ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#awaitsContinue = expectsContinue
    response.setHeader('x-amz-request-id', requestId)
  }

  /** Sends `100 Continue` if the client waits for it. */
  inviteBody(): void {
    if (this.#awaitsContinue) this.response.writeContinue()
    this.#awaitsContinue = false
  }

  empty(status: number, headers: OutgoingHttpHeaders = {}): void {
    // A 204 and a 304 carry no length; with HEAD it would be the length of the object.
    const bare = status === 204 || status === 304 || this.incoming.method === 'HEAD'
    this.response.writeHead(status, bare ? headers : { ...headers, 'content-length': 0 }).end()
  }

  xml(root: string, content: string | XmlFields, headers: OutgoingHttpHeaders = {}): void {
    this.#document(200, xmlDocument(root, content), headers)
    this.response.end()
  }

  /**
   * Sends chunks as fast as the client reads them. A fault before the first one is an answer of its own, and a later one
   * cuts the connection.
   */
  async stream(
    status: number,
    headers: OutgoingHttpHeaders,
    chunks: AsyncGenerator<Buffer, void, undefined>,
  ): Promise<void> {
    const first = await chunks.next()
    this.response.writeHead(status, headers)
    await pipeline(resumed(first, chunks), this.response)
  }

  /** Passes chunks on while the client is connected: a long copy must not outlive its client, or `stop`. */
  async *whileWanted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunks) {
      if (this.response.destroyed) throw new Error('the client has left')
      yield chunk
    }
  }

  async error(error: S3Error, resource: string): Promise<void> {
    if (this.response.headersSent || this.response.destroyed) return void this.response.destroy()
    // The rest of the body comes before the next request: read it for a while, then cut the connection.
    const unread = !this.incoming.complete && !this.incoming.destroyed
    const headers = unread ? { connection: 'close' } : {}
    if (this.incoming.method === 'HEAD' || error.status === 304) {
      this.empty(error.status, headers)
      return
    }
    const fields = { Code: error.code, Message: error.message, Resource: resource, RequestId: this.requestId }
    this.#document(error.status, xmlDocument('Error', fields, ''), headers)
    if (unread && !this.#awaitsContinue) await discard(this.incoming)
    this.response.end()
  }

  #document(status: number, text: string, headers: OutgoingHttpHeaders): void {
    const body = Buffer.from(text, 'utf8')
    this.response.writeHead(status, { ...headers, 'content-type': 'application/xml', 'content-length': body.length })
    this.response.write(body)
  }
}

async function* resumed(
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer, void, undefined>,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    if (first.done === true) return
    yield first.value
    yield* rest
  } finally {
    await rest.return()
  }
}

async function discard(incoming: IncomingMessage): Promise<void> {
  incoming.resume()
  const deadline = AbortSignal.timeout(LINGER_MS)
  // This rejects at the deadline and when the client has left. Both end the reading.
  await once(incoming, 'end', { signal: deadline }).catch(() => undefined)
}
