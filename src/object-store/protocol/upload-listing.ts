import { commonPrefixOf } from './listing.js'
import { toByteString } from '../disk/object-index.js'
import type { Upload } from '../disk/object-record.js'

export interface UploadQuery {
  readonly prefix: string
  readonly delimiter: string
  readonly keyMarker: string
  /** Counts only together with a key marker. */
  readonly uploadIdMarker: string
  readonly maxUploads: number
}

export interface UploadPage {
  readonly uploads: readonly Upload[]
  readonly commonPrefixes: readonly string[]
  readonly next: { readonly keyMarker: string; readonly uploadIdMarker: string } | undefined
}

/** One page of uploads under way, by key in byte order and by id within a key. They are few, so each page sorts them. */
export function listUploads(all: readonly Upload[], query: UploadQuery): UploadPage {
  const marker = [toByteString(query.keyMarker), query.uploadIdMarker] as const
  const sorted = all
    .filter(upload => upload.key.startsWith(query.prefix))
    .map(upload => ({ upload, bytes: toByteString(upload.key) }))
    .filter(({ upload, bytes }) => isAfter(bytes, upload.id, marker))
    .sort((a, b) => (a.bytes < b.bytes || (a.bytes === b.bytes && a.upload.id < b.upload.id) ? -1 : 1))

  const uploads: Upload[] = []
  const commonPrefixes: string[] = []
  let last = { keyMarker: '', uploadIdMarker: '' }
  for (const { upload } of sorted) {
    const common = commonPrefixOf(upload.key, query.prefix, query.delimiter)
    if (common !== undefined && (common === commonPrefixes.at(-1) || common === query.keyMarker)) continue
    if (uploads.length + commonPrefixes.length === query.maxUploads) {
      return { uploads, commonPrefixes, next: query.maxUploads === 0 ? undefined : last }
    }
    if (common === undefined) uploads.push(upload)
    else commonPrefixes.push(common)
    last = { keyMarker: common ?? upload.key, uploadIdMarker: common === undefined ? upload.id : '' }
  }
  return { uploads, commonPrefixes, next: undefined }
}

function isAfter(bytes: string, id: string, [keyMarker, idMarker]: readonly [string, string]): boolean {
  if (keyMarker === '') return true
  return bytes > keyMarker || (bytes === keyMarker && idMarker !== '' && id > idMarker)
}
