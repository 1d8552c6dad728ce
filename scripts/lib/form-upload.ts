import http from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { answerTo, type Answer } from './http-client.js'
import { FORM_END, formType, partHead } from './multipart-form.js'

/** Sends one file to POST /upload as a browser's form does, and reads no more of it than the server takes. */
export async function uploadFile(
  origin: string,
  content: Iterable<Buffer>,
  headers: http.OutgoingHttpHeaders,
): Promise<Answer> {
  const options = { method: 'POST', agent: false, headers: { ...headers, ...formType } }
  const request = http.request(new URL('/upload', origin), options)
  const [answer] = await Promise.all([
    answerTo(request),
    pipeline(Readable.from(form(content), { objectMode: false }), request),
  ])
  return answer
}

function* form(content: Iterable<Buffer>): Generator<Buffer | string> {
  yield partHead({ name: 'file', filename: 'file.bin' })
  yield* content
  yield FORM_END
}
