import http from 'node:http'
import { answerTo, type Answer } from '#scripts/lib/http-client.js'

const BOUNDARY = '----outpost-test'

export interface Part {
  /** Undefined: no name at all. */
  name?: string
  filename?: string
  type?: string
  content: Buffer | string
}

/** The head of a part, up to its content. Names are not escaped: a test may want bad ones. */
export function partHead({ name, filename, type }: Omit<Part, 'content'>): string {
  const named = name === undefined ? '' : `; name="${name}"`
  const disposition = `form-data${named}${filename === undefined ? '' : `; filename="${filename}"`}`
  return [
    `--${BOUNDARY}`,
    `Content-Disposition: ${disposition}`,
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    '',
    '',
  ].join('\r\n')
}

export const FORM_END = `\r\n--${BOUNDARY}--\r\n`

export function form(...parts: Part[]): Buffer {
  const pieces = parts.flatMap(({ content, ...head }) => [partHead(head), content, '\r\n'])
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map(piece => Buffer.from(piece)))
}

export interface SendOptions {
  token?: string
  headers?: http.OutgoingHttpHeaders
}

/** An unfinished POST /upload, for tests that stop in the middle of one. */
export class UploadRequest {
  readonly request: http.ClientRequest
  /** Rejects when the connection breaks before the answer is whole. */
  readonly answer: Promise<Answer>

  constructor(base: string, { token, headers }: SendOptions) {
    this.request = http.request(new URL('/upload', base), {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    })
    this.answer = answerTo(this.request)
    this.answer.catch(() => undefined)
  }

  /** Resolves when the bytes have been handed to the socket. The server may read slowly. */
  write(bytes: Buffer | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.request.write(bytes, error => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
    })
  }
}

export function sendForm(base: string, body: Buffer, options: SendOptions): Promise<Answer> {
  const upload = new UploadRequest(base, { ...options, headers: { 'content-length': body.length, ...options.headers } })
  upload.request.end(body)
  return upload.answer
}
