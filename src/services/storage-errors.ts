/** The object storage cannot serve now: it is away, overloaded, silent, or does not take our keys. */
export class StorageUnavailableError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`the object storage cannot serve now: ${reason}`, { cause })
    this.name = 'StorageUnavailableError'
  }
}

/** The object storage has too little space left, and takes no writes until some is freed. */
export class StorageFullError extends Error {
  constructor(cause: unknown) {
    super('the object storage is full', { cause })
    this.name = 'StorageFullError'
  }
}

/** The object, or the bucket, is not there. */
export class ObjectNotFoundError extends Error {
  constructor(cause: unknown) {
    super('no such object', { cause })
    this.name = 'ObjectNotFoundError'
  }
}

/** Whether an error says that the storage cannot serve now, as opposed to a request that is wrong. */
export function isStorageUnavailable(error: unknown): boolean {
  return error instanceof StorageUnavailableError
}

const NOT_THERE = new Set(['NoSuchKey', 'NoSuchBucket', 'NotFound', 'NoSuchUpload'])

/** The code of the embedded store and of MinIO. S3 itself is never full. */
const FULL = 'XMinioStorageFull'

/** Answers that every request would get until the settings or the server change. */
const UNUSABLE = new Set([
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'RequestTimeTooSkewed',
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'XMinioServerNotInitialized',
])

/** Turns any error of the library into one of these errors. */
export function storageError(error: unknown): Error {
  if (error instanceof StorageUnavailableError || error instanceof ObjectNotFoundError) return error
  if (error instanceof StorageFullError) return error
  if (!(error instanceof Error)) return new Error('the object storage failed', { cause: error })
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return error
  if (code === FULL) return new StorageFullError(error)
  if (NOT_THERE.has(code)) return new ObjectNotFoundError(error)
  if (UNUSABLE.has(code)) return new StorageUnavailableError(`${code} ${error.message}`.trim(), error)
  // Any other code in capitals is the system's: a connection refused, reset or timed out, an unknown name.
  if (/^E[A-Z_]+$/.test(code)) return new StorageUnavailableError(error.message || code, error)
  return error
}
