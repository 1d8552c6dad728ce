/**
 * Uploads some files at once and prints how long that took: `node uploader.js '{"files":4,"bytes":…, …}'`.
 * To `origin` as a browser's form does, or with `storage` by the minio client's own putObject.
 */
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { uploadFile } from '#scripts/lib/form-upload.js'
import type { MinioAddress } from './minio-address.js'

export type UploadPlan = { files: number; bytes: number } & (
  { storage: MinioAddress } | { storage?: undefined; origin: string; headers: Record<string, string> }
)

const plan = JSON.parse(process.argv[2] ?? '') as UploadPlan
const { files, bytes } = plan
const CHUNK = randomBytes(64 * 1024)

const put = plan.storage === undefined ? post(plan.origin, plan.headers) : await putObject(plan.storage)
const from = performance.now()
await Promise.all(Array.from({ length: files }, (_, index) => put(index)))
process.stdout.write(JSON.stringify({ seconds: (performance.now() - from) / 1_000 }))

function* content(): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
}

function post(origin: string, headers: Record<string, string>): () => Promise<void> {
  return async () => {
    const { status, text } = await uploadFile(origin, content(), headers)
    if (status !== 201) throw new Error(`POST /upload answers ${status} ${text}`)
  }
}

async function putObject({ bucket, ...address }: MinioAddress): Promise<(index: number) => Promise<unknown>> {
  const { Client } = await import('minio')
  const client = new Client(address)
  return index => client.putObject(bucket, `put-${index}`, Readable.from(content(), { objectMode: false }), bytes)
}
