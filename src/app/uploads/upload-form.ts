import busboy from 'busboy'
import type { Request } from 'express'
import type { Readable } from 'node:stream'
import type { IncomingFile } from './uploads.js'
import { HttpError } from '../errors.js'

/** Parts of a form, its file included. */
const MAX_PARTS = 1_000
const MAX_FIELD_BYTES = 64 * 1024
/** The size of a form beyond its file: boundaries, headers, other fields. */
const FORM_OVERHEAD_BYTES = 1024 ** 2
/** How long a refused client may go on sending, so that it has time to read the reason. */
const LINGER_MS = 5_000

/**
 * The one file of a multipart form, in the field `file`, as it arrives. Nothing is read before the consumer asks for it.
 * The bytes end only if the whole form is well-formed and holds no other file; otherwise they throw.
 */
export class UploadForm {
  readonly #parser: busboy.Busboy
  readonly #file: Promise<IncomingFile>
  readonly #complete: Promise<void>
  #stream: Readable | undefined
  #failure: Error | undefined
  #foundFile: (file: IncomingFile) => void = () => undefined
  #completed: () => void = () => undefined
  #failed: Array<(error: Error) => void> = []
  #received = 0
  readonly #maxBytes: number

  /** @throws {HttpError} when the headers alone show that the form cannot be used */
  constructor(
    private readonly request: Request,
    private readonly maxFileBytes: number,
  ) {
    this.#maxBytes = maxFileBytes + FORM_OVERHEAD_BYTES
    if (request.is('multipart/form-data') === false) throw new HttpError('UNSUPPORTED_MEDIA_TYPE')
    if (Number(request.get('content-length') ?? 0) > this.#maxBytes) throw new HttpError('BODY_TOO_LARGE')
    try {
      const limits = { parts: MAX_PARTS + 1, fields: MAX_PARTS, fieldSize: MAX_FIELD_BYTES }
      this.#parser = busboy({ headers: request.headers, limits, defParamCharset: 'utf8' })
    } catch (error) {
      throw new HttpError('MALFORMED_BODY', { cause: error }) // no boundary
    }
    this.#file = new Promise((resolve, reject) => {
      this.#foundFile = resolve
      this.#failed.push(reject)
    })
    this.#complete = new Promise((resolve, reject) => {
      this.#completed = resolve
      this.#failed.push(reject)
    })
    // A failure rejects both. Only one of them may have a consumer.
    for (const promise of [this.#file, this.#complete]) promise.catch(() => undefined)
    this.#listen()
  }

  /** Begins to read. */
  file(): Promise<IncomingFile> {
    this.request.pipe(this.#parser)
    return this.#file
  }

  /** Stops reading the body. */
  refuse(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const reject of this.#failed) reject(error)
    this.request.unpipe(this.#parser)
    this.#parser.destroy()
    this.#stream?.destroy(error)
    discard(this.request)
  }

  #listen(): void {
    const malformed = (cause: unknown): void => this.refuse(new HttpError('MALFORMED_BODY', { cause }))
    this.request.on('data', (chunk: Buffer) => {
      this.#received += chunk.length
      if (this.#received > this.#maxBytes) this.refuse(new HttpError('BODY_TOO_LARGE'))
    })
    this.request.pause()
    this.request.once('error', malformed)
    this.request.once('close', () => {
      if (!this.request.complete) malformed(new Error('the client left'))
    })
    this.#parser.on('error', malformed)
    this.#parser.on('file', (field, stream, { filename, mimeType }) => this.#found(field, stream, filename, mimeType))
    this.#parser.on('field', (field, _value, { valueTruncated }) => {
      if (valueTruncated) this.refuse(new HttpError('BODY_TOO_LARGE'))
      else if (!isNamed(field)) this.refuse(fault('body', 'every field must have a name'))
    })
    for (const limit of ['partsLimit', 'fieldsLimit'] as const) {
      this.#parser.on(limit, () => this.refuse(new HttpError('BODY_TOO_LARGE')))
    }
    this.#parser.on('close', () => {
      if (this.#stream === undefined) this.refuse(fault('file', 'a file is required'))
      else this.#completed()
    })
  }

  #found(field: string | undefined, stream: Readable, name: string | undefined, declaredType: string): void {
    stream.on('error', () => undefined) // the reader gets the error
    // A browser sends a file without a name when none was chosen.
    if (this.#stream !== undefined || field !== 'file' || name === undefined) {
      stream.resume()
      if (this.#stream !== undefined) this.refuse(fault('file', 'one file at a time'))
      else if (name === undefined) this.refuse(fault('file', 'a file is required'))
      else if (isNamed(field)) this.refuse(fault(field.slice(0, 100), 'the file must be in the field "file"'))
      else this.refuse(fault('body', 'every field must have a name'))
      return
    }
    this.#stream = stream
    const minBytes = Math.max(0, Number(this.request.get('content-length') ?? 0) - FORM_OVERHEAD_BYTES)
    this.#foundFile({ name, declaredType, minBytes, bytes: this.#bytes(stream) })
  }

  async *#bytes(stream: Readable): AsyncGenerator<Buffer, void, undefined> {
    let size = 0
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > this.maxFileBytes) throw new HttpError('BODY_TOO_LARGE')
        yield chunk
      }
    } catch (error) {
      // When a form ends within the file, the parser reports that to the file first, with an error of its own.
      throw this.#failure ?? (error instanceof HttpError ? error : new HttpError('MALFORMED_BODY', { cause: error }))
    }
    await this.#complete
  }
}

/** The library's types wrongly say that there is always one. */
function isNamed(field: string | undefined): field is string {
  return field !== undefined && field !== ''
}

function fault(field: string, reason: string): HttpError {
  return new HttpError('VALIDATION_FAILED', { faults: [{ field, reason }] })
}

function discard(request: Request): void {
  if (request.complete || request.destroyed) return
  request.resume()
  const linger = setTimeout(() => request.destroy(), LINGER_MS)
  request.once('close', () => clearTimeout(linger))
}
