import { readConditions, requireReadable, type Validators } from './conditions.js'
import { S3Error } from '../errors.js'
import { requireUsableKey, type S3Request } from './s3-request.js'

/** The object that x-amz-copy-source names: `[/]bucket/key`, percent-encoded. */
export function copySource(request: S3Request): { bucket: string; key: string } {
  const header = request.header('x-amz-copy-source') ?? ''
  const [path = '', version] = header.split('?versionId=')
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(decode(path)) ?? []
  if (bucket === undefined || key === undefined) throw new S3Error('InvalidArgument', 'The copy source is malformed.')
  if (version !== undefined && version !== 'null') throw new S3Error('NotImplemented', 'There are no versions.')
  requireUsableKey(key)
  return { bucket, key }
}

/** On a copy every condition that does not hold is a 412, as there is no cached copy that could be "not modified". */
export function requireCopyConditions(request: S3Request, source: Validators): void {
  try {
    requireReadable(source, readConditions(request, 'x-amz-copy-source-'))
  } catch (cause) {
    throw new S3Error('PreconditionFailed', undefined, { cause })
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(Buffer.from(path, 'latin1').toString('utf8'))
  } catch (cause) {
    throw new S3Error('InvalidArgument', 'The copy source is not percent-encoded.', { cause })
  }
}
