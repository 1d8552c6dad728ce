import http from 'node:http'

/** An answer, whole, or the reason why there is none. */
export type Reply =
  | { status: number; headers: http.IncomingHttpHeaders; body: Buffer; error?: undefined }
  | { status: 0; headers: http.IncomingHttpHeaders; body: Buffer; error: string }

export interface RequestOptions {
  method?: string
  path: string
  headers?: http.OutgoingHttpHeaders
  body?: string | Buffer
}

const TIMEOUT_MS = 60_000

/** One keep-alive connection to the service, as one patient client has it. */
export class Client {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  constructor(private readonly origin: URL) {}

  /** Never throws; a broken connection is a reply, too. */
  request({ method = 'GET', path, headers = {}, body }: RequestOptions): Promise<Reply> {
    return new Promise(resolve => {
      const failed = (error: Error): void => {
        resolve({
          status: 0,
          headers: {},
          body: Buffer.alloc(0),
          error: (error as NodeJS.ErrnoException).code ?? error.message,
        })
      }
      const { hostname, port } = this.origin
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
      const request = http.request({
        hostname,
        port,
        agent: this.#agent,
        method,
        path,
        headers: { ...headers, ...length },
      })
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('no answer within a minute')))
      request.once('error', failed)
      request.once('response', response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', failed)
        response.once('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
        })
      })
      request.end(body)
    })
  }

  json(path: string, value: object, headers: http.OutgoingHttpHeaders = {}, method = 'POST'): Promise<Reply> {
    return this.request({
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(value),
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
