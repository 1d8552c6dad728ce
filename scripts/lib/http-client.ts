/** The HTTP client of tests, scripts and bench: node:http, nothing retried, nothing followed. */

import http from 'node:http'

export interface Answer {
  status: number
  headers: http.IncomingHttpHeaders
  body: Buffer
  /** The body as UTF-8. */
  text: string
}

/** An answer, or why there is none: status 0 and the error's code or message. */
export type Reply = (Answer & { error?: undefined }) | (Answer & { status: 0; error: string })

export interface AskOptions {
  /** POST with a JSON body, else GET. */
  method?: string
  headers?: http.OutgoingHttpHeaders
  /** Sent as JSON. */
  json?: unknown
  /** Sent as it is. */
  body?: string | Buffer
  /** The client's own address, any of 127.0.0.0/8: to the program each is a client of its own. */
  from?: string
  /** Without one, every request has a connection of its own. */
  agent?: http.Agent
  timeoutMs?: number
}

/** One request. Rejects when the connection breaks before the answer is whole, or stays silent for `timeoutMs`. */
export function ask(base: string | URL, path: string, options: AskOptions = {}): Promise<Answer> {
  const { method = options.json === undefined ? 'GET' : 'POST', from, agent, timeoutMs = 30_000 } = options
  const body = options.json === undefined ? options.body : JSON.stringify(options.json)
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const type = options.json === undefined ? {} : { 'content-type': 'application/json' }
  const request = http.request(new URL(path, base), {
    method,
    headers: { ...type, ...length, ...options.headers },
    agent: agent ?? false,
    ...(from === undefined ? {} : { localAddress: from }),
  })
  request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer to ${method} ${path} in ${timeoutMs} ms`)))
  request.end(body)
  return answerTo(request)
}

/** The whole answer to a request that is sent by hand. Rejects when the connection breaks before. */
export function answerTo(request: http.ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    request.once('response', response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const body = Buffer.concat(chunks)
        const { statusCode = 0, headers } = response
        let text: string | undefined
        resolve({
          status: statusCode,
          headers,
          body,
          // Decoded when it is asked for: most of those who fetch megabytes compare the bytes.
          get text() {
            return (text ??= body.toString())
          },
        })
      })
    })
  })
}

/** The same, and never rejects: a broken connection is a reply as well. */
export async function tryToAsk(base: string | URL, path: string, options: AskOptions = {}): Promise<Reply> {
  try {
    return await ask(base, path, options)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return { status: 0, headers: {}, body: Buffer.alloc(0), text: '', error: code ?? message }
  }
}

/** The body of an answer that must be a JSON object. */
export function jsonOf(answer: Pick<Answer, 'text'>): Record<string, unknown> {
  const value = JSON.parse(answer.text) as unknown
  if (typeof value !== 'object' || value === null) throw new Error(`not a JSON object: ${answer.text}`)
  return value as Record<string, unknown>
}
