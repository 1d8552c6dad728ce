import type { Request, Response } from 'express'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { buffersPassed } from '../../resources/young-garbage.js'
import { mayBeShown } from './file-type.js'
import type { ObjectInfo } from '../../services/object-info.js'
import type { ByteRange, StoredObject } from '../../services/object-storage.js'
import { isStorageUnavailable, StorageUnavailableError } from '../../services/storage-errors.js'
import { nameOf, type Uploads } from './uploads.js'
import { HttpError } from '../errors.js'

/** Headers that may ask for less than the whole file. With one of these, its facts are needed first. */
const SELECTIVE = ['range', 'if-none-match', 'if-modified-since'] as const

/** Headers of a file, which an error must not carry. */
const DESCRIPTION = ['ETag', 'Last-Modified', 'Accept-Ranges', 'Content-Disposition', 'Content-Type'] as const

/** Answers GET and HEAD with a file of a user's: conditions (304), one range (206, 416), or all of it. */
export async function sendFile(uploads: Uploads, key: string, request: Request, response: Response): Promise<void> {
  try {
    await answer(uploads, key, request, response)
  } catch (error) {
    if (!response.headersSent) for (const name of DESCRIPTION) response.removeHeader(name)
    throw error
  }
}

async function answer(uploads: Uploads, key: string, request: Request, response: Response): Promise<void> {
  const head = request.method === 'HEAD'
  if (!head && SELECTIVE.every(name => request.headers[name] === undefined)) {
    const { info, body } = await begun(found(await uploads.open(key)), response)
    describe(info, response)
    response.set('Content-Length', String(info.size))
    await sendBody(body, response)
    return
  }

  const info = found(await uploads.stat(key))
  describe(info, response)
  if (request.fresh) {
    response.status(304).end()
    return
  }
  if (head) {
    response.set('Content-Length', String(info.size)).end()
    return
  }
  const range = rangeOf(request, info)
  if (range === 'outside') {
    response.set('Content-Range', `bytes */${info.size}`)
    throw new HttpError('RANGE_NOT_SATISFIABLE')
  }
  const { body } = await begun(found(await uploads.open(key, range)), response)
  const length = range === undefined ? info.size : range.end - range.start + 1
  response.set('Content-Length', String(length))
  if (range !== undefined) response.status(206).set('Content-Range', `bytes ${range.start}-${range.end}/${info.size}`)
  await sendBody(body, response)
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new HttpError('NOT_FOUND')
  return value
}

function describe(info: ObjectInfo, response: Response): void {
  const { contentType, etag, lastModified } = info
  response.set({
    ETag: `"${etag}"`,
    'Last-Modified': lastModified.toUTCString(),
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, no-cache',
    'Content-Disposition': disposition(mayBeShown(contentType) ? 'inline' : 'attachment', nameOf(info)),
    'X-Content-Type-Options': 'nosniff',
    // If a browser shows the file anyway, it runs no script and has no origin.
    'Content-Security-Policy': "default-src 'none'; sandbox",
  })
  // Not by `set`, which would add a charset.
  response.setHeader('Content-Type', contentType)
}

/** RFC 6266: the name in ASCII for old clients, and the exact name. */
function disposition(kind: 'inline' | 'attachment', name: string | undefined): string {
  if (name === undefined) return kind
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const exact = encodeURIComponent(name).replace(/['()*]/g, found => `%${found.charCodeAt(0).toString(16)}`)
  return `${kind}; filename="${plain}"; filename*=UTF-8''${exact}`
}

/** Several ranges are ignored: the whole file is a correct answer as well (RFC 9110, section 14.2). */
function rangeOf(request: Request, info: ObjectInfo): ByteRange | 'outside' | undefined {
  if (!rangeApplies(request.get('if-range'), info)) return undefined
  const ranges = request.range(info.size)
  if (ranges === -1) return 'outside'
  if (ranges === undefined || ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return undefined
  return ranges[0]
}

function rangeApplies(ifRange: string | undefined, { etag, lastModified }: ObjectInfo): boolean {
  if (ifRange === undefined) return true
  return ifRange.startsWith('"') ? ifRange === `"${etag}"` : ifRange === lastModified.toUTCString()
}

/** Resolves once the first byte has come or the client has left. A failure before that can still be answered. */
async function begun(object: StoredObject, response: Response): Promise<StoredObject> {
  const { body } = object
  const over = new AbortController()
  const happens = (of: Readable | Response, name: string): Promise<unknown> => once(of, name, { signal: over.signal })
  try {
    if (body.errored !== null) throw body.errored
    // The client may have left while the storage was asked: then there is no `close` to come.
    if (response.destroyed) return object
    await Promise.race([happens(body, 'readable'), happens(body, 'end'), happens(response, 'close')])
    return object
  } catch (error) {
    throw isStorageUnavailable(error) ? error : new StorageUnavailableError('the connection broke', error)
  } finally {
    over.abort()
  }
}

/** A failure from here on can only be shown by breaking the connection. */
async function sendBody(body: StoredObject['body'], response: Response): Promise<void> {
  // `pipeline` would keep the body of a response that is closed already, until the storage has been silent for too long.
  if (response.destroyed) {
    body.destroy()
    return
  }
  body.on('data', (chunk: Buffer) => buffersPassed(chunk.length))
  await pipeline(body, response).catch(() => response.destroy())
}
