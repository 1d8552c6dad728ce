import http from 'node:http'
import { answerTo, type Answer } from '#scripts/lib/http-client.js'
import { formType } from '#scripts/lib/multipart-form.js'

export { form, FORM_END, partHead, type Part } from '#scripts/lib/multipart-form.js'

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
        ...formType,
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
