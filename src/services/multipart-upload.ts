import type { CallOptions, StorageClient } from './storage-client.js'

/** Told of the uploads that are under way, so that a sweeper leaves them alone. */
export interface UploadWitness {
  begun(uploadId: string): void
  ended(uploadId: string): void
}

const BEGIN: CallOptions = { silenceMs: 5_000, deadlineMs: 10_000, repeatable: false }
const PART: CallOptions = { silenceMs: 15_000, deadlineMs: 60_000 }
/** Servers put the parts together before they answer. Less than a balancer waits for our own answer. */
const COMPLETE: CallOptions = { silenceMs: 25_000, deadlineMs: 25_000, repeatable: false }
const ABORT: CallOptions = { silenceMs: 2_000, deadlineMs: 5_000 }

/** An object in the making, part by part. There is nothing to be seen of it until `complete`. */
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

  /** @param bytes exactly `PART_BYTES`, less only for the last one; not used any more once this is over */
  async add(bytes: Buffer): Promise<void> {
    const part = this.#parts.length + 1
    const address = { bucketName: this.storage.bucket, objectName: this.key, uploadID: this.id }
    const { etag } = await this.storage.call(PART, client =>
      client.uploadPart({ ...address, partNumber: part, headers: {} }, bytes),
    )
    this.#parts.push({ part, etag })
  }

  async complete(): Promise<{ etag: string }> {
    const { bucket } = this.storage
    const { etag } = await this.storage.call(COMPLETE, client =>
      client.completeMultipartUpload(bucket, this.key, this.id, this.#parts),
    )
    this.witness.ended(this.id)
    return { etag: etag.replace(/^"|"$/g, '') }
  }

  /** Never throws: it follows another failure. What it cannot remove, the sweeper finds: it is witnessed no more. */
  async abort(): Promise<void> {
    this.witness.ended(this.id)
    await abortUpload(this.storage, this.key, this.id).catch(() => undefined)
  }
}

export function abortUpload(storage: StorageClient, key: string, uploadId: string): Promise<void> {
  return storage.call(ABORT, client => client.abortMultipartUpload(storage.bucket, key, uploadId))
}
