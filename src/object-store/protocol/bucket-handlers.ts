import { S3Error } from '../errors.js'
import { isoDate, type Operation } from './operation.js'
import { readText } from '../request/payload.js'
import { childText, parseXml, requireChildren } from './xml-parser.js'

export const OWNER = { ID: 'outpost', DisplayName: 'outpost' }
const MAX_LOCATION_BYTES = 64 * 1024
const MAX_LOCATION_ELEMENTS = 10

export function listBuckets({ reply, buckets }: Operation): void {
  const list = buckets.all().map(({ name, createdAt }) => ({ Name: name, CreationDate: isoDate(createdAt) }))
  reply.xml('ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket: list } })
}

export async function createBucket(operation: Operation): Promise<void> {
  const { request, reply, buckets, limits } = operation
  // A client that asks for no location may send no body, and then some send no Content-Length either.
  if (request.header('content-length') !== undefined) {
    const text = await readText(operation.document(MAX_LOCATION_BYTES))
    const root = text === '' ? undefined : parseXml(text, MAX_LOCATION_ELEMENTS)
    if (root) requireChildren(root, ['LocationConstraint'])
    const location = root && childText(root, 'LocationConstraint')
    if (location !== undefined && location !== '' && location !== limits.region) {
      throw new S3Error('InvalidLocationConstraint')
    }
  }
  await buckets.create(request.bucket)
  reply.empty(200, { location: `/${request.bucket}` })
}

export function headBucket(operation: Operation): void {
  operation.bucket()
  operation.reply.empty(200, { 'x-amz-bucket-region': operation.limits.region })
}

export async function deleteBucket({ request, reply, buckets }: Operation): Promise<void> {
  await buckets.remove(request.bucket)
  reply.empty(204)
}

/** S3 writes us-east-1 as an empty constraint, for historical reasons. */
export function getLocation(operation: Operation): void {
  const { region } = operation.limits
  operation.bucket()
  operation.reply.xml('LocationConstraint', region === 'us-east-1' ? '' : region)
}

/** An empty status is S3's answer for a bucket that never had versions. */
export function getVersioning(operation: Operation): void {
  operation.bucket()
  operation.reply.xml('VersioningConfiguration', '')
}
