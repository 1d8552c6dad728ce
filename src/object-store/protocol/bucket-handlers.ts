import { asS3Error, S3Error } from '../errors.js'
import { isoDate, type Operation } from './operation.js'
import { readText } from '../request/payload.js'
import { requireUsableKey } from '../request/s3-request.js'
import { childText, parseXml } from './xml-parser.js'
import type { XmlFields } from './xml-writer.js'

export const OWNER = { ID: 'outpost', DisplayName: 'outpost' }
const MAX_LOCATION_BYTES = 64 * 1024
const MAX_DELETE_BYTES = 2 * 1024 * 1024
const MAX_DELETE_KEYS = 1000

export function listBuckets({ reply, buckets }: Operation): void {
  const list = buckets.all().map(({ name, createdAt }) => ({ Name: name, CreationDate: isoDate(createdAt) }))
  reply.xml('ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket: list } })
}

export async function createBucket(operation: Operation): Promise<void> {
  const { request, reply, buckets, limits } = operation
  // A client that asks for no location may send no body, and then some send no Content-Length either.
  if (request.header('content-length') !== undefined) {
    const text = await readText(operation.document(MAX_LOCATION_BYTES))
    const location = text === '' ? undefined : childText(parseXml(text), 'LocationConstraint')
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

/** Each key is deleted separately and has its own result. A key that does not exist counts as deleted. */
export async function deleteObjects(operation: Operation): Promise<void> {
  const bucket = operation.bucket()
  const root = parseXml(await readText(operation.document(MAX_DELETE_BYTES)))
  const keys = root.children.filter(child => child.name === 'Object').map(object => childText(object, 'Key') ?? '')
  const quiet = childText(root, 'Quiet')?.trim() === 'true'
  if (root.name !== 'Delete' || keys.length === 0 || keys.length > MAX_DELETE_KEYS || keys.includes('')) {
    throw new S3Error('MalformedXML')
  }
  keys.forEach(requireUsableKey)
  const errors: XmlFields[] = []
  const remove = async (key: string): Promise<void> => {
    try {
      await bucket.remove(key)
    } catch (error) {
      const { code, message } = asS3Error(error)
      errors.push({ Key: key, Code: code, Message: message })
    }
  }
  await Promise.all(keys.map(remove))
  const failed = new Set(errors.map(error => error['Key']))
  const deleted = quiet ? [] : keys.filter(key => !failed.has(key)).map(key => ({ Key: key }))
  operation.reply.xml('DeleteResult', { Deleted: deleted, Error: errors })
}
