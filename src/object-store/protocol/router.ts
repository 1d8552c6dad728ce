import { OWNER } from './bucket-handlers.js'
import { S3Error } from '../errors.js'
import type { Handler } from './operation.js'
import { OPERATIONS, type OperationKind } from './operations.js'
import type { S3Request } from '../request/s3-request.js'

/** A header with one of these names may change what a request does. All others describe the client or the transfer. */
const OPERATIVE = /^(?:x-amz-|x-minio-|if-)|^content-range$/

/** The headers that a request for any operation may have. */
const COMMON = ['x-amz-content-sha256', 'x-amz-date', 'x-amz-expected-bucket-owner', 'x-amz-request-payer']
COMMON.push('x-amz-user-agent')

/** Headers that have only one meaning here: every object is private, and nothing is locked, tagged or charged. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'x-amz-acl': ['private', 'bucket-owner-full-control'],
  'x-amz-bucket-object-lock-enabled': ['false'],
  'x-amz-checksum-mode': ['ENABLED'],
  'x-amz-object-ownership': ['BucketOwnerEnforced'],
  'x-amz-optional-object-attributes': ['RestoreStatus'],
  'x-amz-request-payer': ['requester'],
  'x-amz-tagging-directive': ['COPY', 'REPLACE'],
}

/**
 * The handler of the operation that the request names by method, level of the path, parameters and operative headers,
 * and by nothing else. If an unknown part were ignored, something would be done that was not asked for.
 * @throws {S3Error} NotImplemented
 */
export function handlerOf(request: S3Request): Handler {
  const level = levelOf(request)
  const headers = request.headerNames().filter(name => OPERATIVE.test(name) && !COMMON.includes(name))
  const near = OPERATIONS.filter(kind => kind.method === request.method && kind.level === level)
  const kind = near.find(kind => excess(kind, request, headers) === undefined)
  if (!kind) {
    const what = near.map(kind => excess(kind, request, headers)).find(part => part !== undefined && part !== '')
    const known = what === undefined ? '' : ` with ${what}`
    throw new S3Error('NotImplemented', `${request.method} of ${level}${known} is not implemented.`)
  }
  requireKnownValues(request)
  return kind.handler
}

/** The first part of the request that this operation lacks or does not have; undefined when the request fits. */
function excess(kind: OperationKind, request: S3Request, headers: readonly string[]): string | undefined {
  const { query = [], options = [], needs = [] } = kind
  if (!query.every(parameter => fits(request, parameter)) || !needs.every(name => headers.includes(name))) return ''
  const known = [...query, ...options]
  for (const name of request.parameterNames()) {
    if (name === 'x-id' && request.parameter(name) === kind.name) continue
    const parameter = known.find(parameter => nameOf(parameter) === name)
    if (parameter === undefined || !fits(request, parameter)) return `?${name}`
  }
  const allowed = [...needs, ...(kind.headers ?? [])]
  return headers.find(
    name => !allowed.some(one => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one)),
  )
}

function fits(request: S3Request, parameter: string): boolean {
  const name = nameOf(parameter)
  return request.has(name) && (name === parameter || request.parameter(name) === parameter.slice(name.length + 1))
}

function nameOf(parameter: string): string {
  return parameter.split('=', 1)[0] ?? ''
}

function levelOf({ target: { bucket, key } }: S3Request): OperationKind['level'] {
  if (bucket === undefined && key !== undefined) throw new S3Error('InvalidBucketName')
  return bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
}

function requireKnownValues(request: S3Request): void {
  for (const [name, known] of Object.entries(VALUES)) {
    const value = request.header(name)
    if (value !== undefined && !known.includes(value)) {
      throw new S3Error('NotImplemented', `The value ${value} of ${name} is not implemented.`)
    }
  }
  for (const name of ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']) {
    const owner = request.header(name)
    if (owner !== undefined && owner !== OWNER.ID) throw new S3Error('AccessDenied')
  }
}
