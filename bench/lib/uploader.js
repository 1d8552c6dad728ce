/**
 * Uploads some files at once and prints how long that took: `node uploader.js '{"files":4,"bytes":…, …}'`.
 * To `origin` as a browser's form does, or with `storage` by the minio client's own putObject.
 */
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const { origin, headers, storage, files, bytes } = JSON.parse(process.argv[2])
const CHUNK = randomBytes(64 * 1024)
const BOUNDARY = 'bench-boundary'

const from = performance.now()
const put = storage === undefined ? post : await putObject()
await Promise.all(Array.from({ length: files }, (_, index) => put(index)))
process.stdout.write(JSON.stringify({ seconds: (performance.now() - from) / 1_000 }))

function* content() {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
}

function* form() {
  yield `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.bin"\r\n\r\n`
  yield* content()
  yield `\r\n--${BOUNDARY}--\r\n`
}

async function post() {
  const type = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
  const request = http.request(new URL('/upload', origin), {
    method: 'POST',
    agent: false,
    headers: { ...headers, ...type },
  })
  const answered = new Promise((resolve, reject) => request.once('response', resolve).once('error', reject))
  await Promise.all([answered, pipeline(Readable.from(form(), { objectMode: false }), request)])
  const answer = await answered
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  if (answer.statusCode !== 201) throw new Error(`POST /upload answers ${answer.statusCode} ${text}`)
}

async function putObject() {
  const { Client } = await import('minio')
  const { bucket, ...address } = storage
  const client = new Client(address)
  return index => client.putObject(bucket, `put-${index}`, Readable.from(content(), { objectMode: false }), bytes)
}
