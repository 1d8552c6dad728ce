import type { CallOptions, StorageClient } from './storage-client.js'

/** Records the uploads under way, so that the sweeper keeps them. */
export interface UploadWitness {
  begun(uploadId: string): void
  ended(uploadId: string): void
}

const BEGIN: CallOptions = { silenceMs: 5_000, deadlineMs: 10_000, repeatable: false }
const PART: CallOptions = { silenceMs: 15_000, deadlineMs: 60_000 }
/** The time from the end of a file to the end of its upload. A balancer waits longer for the answer. */
const FINISH_MS = 20_000
const ABORT: CallOptions = { silenceMs: 2_000, deadlineMs: 5_000 }

/** An object that is uploaded part by part. It does not exist before `finish`. */
export class MultipartUpload {
  readonly #parts: Array<{ part: number; etag: string }> = []

  private constructor(
    private readonly storage: StorageClient,
    private readonly key: string,
    private readonly id: string,
    private readonly witness: UploadWitness,
  ) {}

  static async begin(
    storage: StorageClient,
    key: string,
    headers: Record<string, string>,
    witness: UploadWitness,
  ): Promise<MultipartUpload> {
    const { bucket } = storage
    const id = await storage.call(BEGIN, client => client.initiateNewMultipartUpload(bucket, key, headers))
    witness.begun(id)
    return new MultipartUpload(storage, key, id, witness)
  }

  /** @param bytes exactly `PART_BYTES`; no longer used once this resolves */
  add(bytes: Buffer): Promise<void> {
    return this.#add(bytes, PART)
  }

  /** Sends the last part, of any size, and completes the object, all within `FINISH_MS`. */
  async finish(rest: Buffer): Promise<{ etag: string }> {
    const begun = performance.now()
    await this.#add(rest, { ...PART, deadlineMs: FINISH_MS })
    const left = Math.max(1, FINISH_MS - (performance.now() - begun))
    const { bucket } = this.storage
    const { etag } = await this.storage.call({ silenceMs: left, deadlineMs: left, repeatable: false }, client =>
      client.completeMultipartUpload(bucket, this.key, this.id, this.#parts),
    )
    this.witness.ended(this.id)
    return { etag: etag.replace(/^"|"$/g, '') }
  }

  /** Never throws, because it follows another failure. The sweeper removes an upload that this cannot remove. */
  async abort(): Promise<void> {
    this.witness.ended(this.id)
    await abortMultipart(this.storage, this.key, this.id).catch(() => undefined)
  }

  async #add(bytes: Buffer, options: CallOptions): Promise<void> {
    const part = this.#parts.length + 1
    const address = { bucketName: this.storage.bucket, objectName: this.key, uploadID: this.id }
    const { etag } = await this.storage.call(options, client =>
      client.uploadPart({ ...address, partNumber: part, headers: {} }, bytes),
    )
    this.#parts.push({ part, etag })
  }
}

export function abortMultipart(storage: StorageClient, key: string, uploadId: string): Promise<void> {
  return storage.call(ABORT, client => client.abortMultipartUpload(storage.bucket, key, uploadId))
}
