import { createBucket, deleteBucket, getLocation, getVersioning, headBucket, listBuckets } from './bucket-handlers.js'
import { getObjectAttributes } from './attributes-handler.js'
import { deleteObjects } from './delete-handlers.js'
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

/** An operation of the S3 API, and the exact set of what a request for it may say. */
export interface OperationKind {
  /** As the S3 API reference calls it. The SDKs send it as `x-id`. */
  readonly name: string
  readonly method: string
  readonly level: 'service' | 'bucket' | 'object'
  /** Parameters that the request must have, each as `name` or `name=value`. */
  readonly query?: readonly string[]
  /** Parameters that it may have, written in the same way. */
  readonly options?: readonly string[]
  /** Operative headers that it must have. */
  readonly needs?: readonly string[]
  /** Operative headers that it may have. A name that ends with `-*` stands for all that begin so. */
  readonly headers?: readonly string[]
  readonly handler: Handler
}

const BODY = ['x-amz-decoded-content-length', 'x-amz-trailer', 'x-amz-sdk-checksum-algorithm', 'x-amz-checksum-crc32']
BODY.push('x-amz-checksum-crc32c', 'x-amz-checksum-crc64nvme', 'x-amz-checksum-sha1', 'x-amz-checksum-sha256')
const ATTRIBUTES = ['x-amz-acl', 'x-amz-meta-*', 'x-amz-storage-class']
const WRITE_CONDITIONS = ['if-match', 'if-none-match']
const COPY = ['x-amz-copy-source-if-match', 'x-amz-copy-source-if-none-match', 'x-amz-source-expected-bucket-owner']
COPY.push('x-amz-copy-source-if-modified-since', 'x-amz-copy-source-if-unmodified-since')
const LISTING = ['delimiter', 'encoding-type', 'prefix']

/** Without versions every object has one version, `null`, and clients may name it. */
const VERSION = 'versionId=null'

const READ = {
  level: 'object',
  options: [
    ...[VERSION, 'partNumber', 'response-cache-control', 'response-content-disposition', 'response-content-encoding'],
    ...['response-content-language', 'response-content-type', 'response-expires'],
  ],
  headers: ['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'],
  handler: getObject,
} as const

/** All operations that are implemented. No request fits two of them. */
export const OPERATIONS: readonly OperationKind[] = [
  { name: 'ListBuckets', method: 'GET', level: 'service', handler: listBuckets },
  {
    name: 'CreateBucket',
    method: 'PUT',
    level: 'bucket',
    headers: [...BODY, 'x-amz-acl', 'x-amz-object-ownership', 'x-amz-bucket-object-lock-enabled'],
    handler: createBucket,
  },
  { name: 'HeadBucket', method: 'HEAD', level: 'bucket', handler: headBucket },
  { name: 'DeleteBucket', method: 'DELETE', level: 'bucket', handler: deleteBucket },
  { name: 'GetBucketLocation', method: 'GET', level: 'bucket', query: ['location'], handler: getLocation },
  { name: 'GetBucketVersioning', method: 'GET', level: 'bucket', query: ['versioning'], handler: getVersioning },
  {
    name: 'ListObjects',
    method: 'GET',
    level: 'bucket',
    options: [...LISTING, 'marker', 'max-keys'],
    headers: ['x-amz-optional-object-attributes'],
    handler: listObjectsV1,
  },
  {
    name: 'ListObjectsV2',
    method: 'GET',
    level: 'bucket',
    query: ['list-type=2'],
    // `metadata` is MinIO's wish for more than S3 lists. S3 itself ignores it, and some clients always send it.
    options: [...LISTING, 'continuation-token', 'fetch-owner', 'max-keys', 'metadata', 'start-after'],
    headers: ['x-amz-optional-object-attributes'],
    handler: listObjectsV2,
  },
  {
    name: 'ListMultipartUploads',
    method: 'GET',
    level: 'bucket',
    query: ['uploads'],
    options: [...LISTING, 'key-marker', 'max-uploads', 'upload-id-marker'],
    handler: listMultipartUploads,
  },
  {
    name: 'DeleteObjects',
    method: 'POST',
    level: 'bucket',
    query: ['delete'],
    headers: BODY,
    handler: deleteObjects,
  },
  { ...READ, name: 'GetObject', method: 'GET', headers: [...READ.headers, 'x-amz-checksum-mode'] },
  { ...READ, name: 'HeadObject', method: 'HEAD', headers: [...READ.headers, 'x-amz-checksum-mode'] },
  {
    name: 'GetObjectAttributes',
    method: 'GET',
    level: 'object',
    query: ['attributes'],
    options: [VERSION],
    headers: ['x-amz-max-parts', 'x-amz-object-attributes', 'x-amz-part-number-marker'],
    handler: getObjectAttributes,
  },
  {
    name: 'PutObject',
    method: 'PUT',
    level: 'object',
    headers: [...BODY, ...ATTRIBUTES, ...WRITE_CONDITIONS],
    handler: putObject,
  },
  {
    name: 'CopyObject',
    method: 'PUT',
    level: 'object',
    needs: ['x-amz-copy-source'],
    headers: [
      ...COPY,
      ...ATTRIBUTES,
      ...WRITE_CONDITIONS,
      'x-amz-metadata-directive',
      'x-amz-tagging-directive',
      'x-amz-checksum-algorithm',
    ],
    handler: copyObject,
  },
  {
    name: 'DeleteObject',
    method: 'DELETE',
    level: 'object',
    options: [VERSION],
    headers: ['if-match', 'x-amz-if-match-last-modified-time', 'x-amz-if-match-size'],
    handler: deleteObject,
  },
  {
    name: 'CreateMultipartUpload',
    method: 'POST',
    level: 'object',
    query: ['uploads'],
    headers: [...ATTRIBUTES, 'x-amz-checksum-algorithm', 'x-amz-checksum-type'],
    handler: createUpload,
  },
  {
    name: 'UploadPart',
    method: 'PUT',
    level: 'object',
    query: ['partNumber', 'uploadId'],
    headers: BODY,
    handler: uploadPart,
  },
  {
    name: 'UploadPartCopy',
    method: 'PUT',
    level: 'object',
    query: ['partNumber', 'uploadId'],
    needs: ['x-amz-copy-source'],
    headers: [...COPY, 'x-amz-copy-source-range'],
    handler: uploadPartCopy,
  },
  {
    name: 'ListParts',
    method: 'GET',
    level: 'object',
    query: ['uploadId'],
    options: ['encoding-type', 'max-parts', 'part-number-marker'],
    handler: listParts,
  },
  {
    name: 'CompleteMultipartUpload',
    method: 'POST',
    level: 'object',
    query: ['uploadId'],
    headers: [...BODY, ...WRITE_CONDITIONS, 'x-amz-checksum-type', 'x-amz-mp-object-size'],
    handler: completeUpload,
  },
  { name: 'AbortMultipartUpload', method: 'DELETE', level: 'object', query: ['uploadId'], handler: abortUpload },
]
