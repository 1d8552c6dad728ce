import {
  createBucket,
  deleteBucket,
  deleteObjects,
  getLocation,
  getVersioning,
  headBucket,
  listBuckets,
} from './bucket-handlers.js'
import { S3Error } from '../errors.js'
import type { Handler } from './operation.js'
import { listObjectsV1, listObjectsV2 } from './list-handlers.js'
import {
  abortUpload,
  completeUpload,
  createUpload,
  listMultipartUploads,
  listParts,
  uploadPart,
  uploadPartCopy,
} from './multipart-handlers.js'
import { copyObject, deleteObject, getObject, putObject } from './object-handlers.js'
import type { S3Request } from '../request/s3-request.js'

/**
 * The query parameters that turn a request into another operation (S3 API reference, "Operations"). One of them that a
 * route does not name means 501: to serve an object in place of its ACL, say, would be worse than an error. All other
 * parameters are options or, like the SDKs' `x-id`, decoration.
 */
const SUBRESOURCES = [
  ...['accelerate', 'acl', 'analytics', 'append', 'attributes', 'cors', 'delete', 'encryption', 'intelligent-tiering'],
  ...['inventory', 'legal-hold', 'lifecycle', 'location', 'logging', 'metadataTable', 'metrics', 'notification'],
  ...['object-lock', 'ownershipControls', 'partNumber', 'policy', 'policyStatus', 'publicAccessBlock', 'replication'],
  ...['requestPayment', 'restore', 'retention', 'select', 'session', 'tagging', 'torrent', 'uploadId', 'uploads'],
  ...['versionId', 'versioning', 'versions', 'website'],
]

/** `METHOD level ?subresources`, in the order of the list above. */
const ROUTES: Readonly<Record<string, Handler>> = {
  'GET service': listBuckets,
  'PUT bucket': createBucket,
  'HEAD bucket': headBucket,
  'DELETE bucket': deleteBucket,
  'GET bucket': operation =>
    (operation.request.parameter('list-type') === '2' ? listObjectsV2 : listObjectsV1)(operation),
  'GET bucket ?location': getLocation,
  'GET bucket ?versioning': getVersioning,
  'GET bucket ?uploads': listMultipartUploads,
  'POST bucket ?delete': deleteObjects,
  'GET object': getObject,
  'HEAD object': getObject,
  'PUT object': operation => (isCopy(operation.request) ? copyObject : putObject)(operation),
  'DELETE object': deleteObject,
  'POST object ?uploads': createUpload,
  'PUT object ?partNumber&uploadId': operation => (isCopy(operation.request) ? uploadPartCopy : uploadPart)(operation),
  'GET object ?uploadId': listParts,
  'POST object ?uploadId': completeUpload,
  'DELETE object ?uploadId': abortUpload,
}

export function route(request: S3Request): Handler {
  const { bucket, key } = request.target
  const level = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
  // Without versioning every object has one version, `null`, and clients may name it.
  const named = SUBRESOURCES.filter(
    name => request.has(name) && !(name === 'versionId' && request.parameter(name) === 'null'),
  )
  const route = [request.method, level, ...(named.length > 0 ? [`?${named.join('&')}`] : [])].join(' ')
  const handler = Object.hasOwn(ROUTES, route) ? ROUTES[route] : undefined
  if (!handler) throw new S3Error('NotImplemented', `${route} is not implemented.`)
  return handler
}

function isCopy(request: S3Request): boolean {
  return request.header('x-amz-copy-source') !== undefined
}
