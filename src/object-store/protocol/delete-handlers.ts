import { asS3Error, S3Error } from '../errors.js'
import type { DeleteConditions } from '../request/conditions.js'
import type { Operation } from './operation.js'
import { readText } from '../request/payload.js'
import { requireUsableKey } from '../request/s3-request.js'
import { childText, parseXml, requireChildren, type XmlNode } from './xml-parser.js'

const MAX_DELETE_BYTES = 2 * 1024 * 1024
const MAX_DELETE_KEYS = 1000
/** The document, its options, and every object with each of its fields. */
const MAX_DELETE_ELEMENTS = 10 + MAX_DELETE_KEYS * 6
const FIELDS = ['Key', 'VersionId', 'ETag', 'LastModifiedTime', 'Size']

interface DeleteOrder {
  readonly key: string
  readonly versionId: string | undefined
  readonly conditions: DeleteConditions
}

/** Each key is deleted separately and has its own result. A key that does not exist counts as deleted. */
export async function deleteObjects(operation: Operation): Promise<void> {
  const bucket = operation.bucket()
  const root = parseXml(await readText(operation.document(MAX_DELETE_BYTES)), MAX_DELETE_ELEMENTS)
  const orders = ordersOf(root)
  const quiet = childText(root, 'Quiet')?.trim() === 'true'
  const results = await Promise.all(
    orders.map(async ({ key, versionId, conditions }) => {
      const named = { Key: key, VersionId: versionId }
      try {
        // Without versions every object has one version, `null`.
        if (versionId !== undefined && versionId !== 'null') throw new S3Error('NoSuchVersion')
        await bucket.remove(key, conditions)
        return { deleted: named }
      } catch (error) {
        const { code, message } = asS3Error(error)
        return { error: { ...named, Code: code, Message: message } }
      }
    }),
  )
  operation.reply.xml('DeleteResult', {
    Deleted: quiet ? [] : results.flatMap(({ deleted }) => deleted ?? []),
    Error: results.flatMap(({ error }) => error ?? []),
  })
}

/** Nothing is deleted when one part of the document is not understood, because it could be a condition. */
function ordersOf(root: XmlNode): DeleteOrder[] {
  if (root.name !== 'Delete') throw new S3Error('MalformedXML')
  requireChildren(root, ['Object', 'Quiet'])
  const objects = root.children.filter(child => child.name === 'Object')
  if (objects.length === 0 || objects.length > MAX_DELETE_KEYS) throw new S3Error('MalformedXML')
  return objects.map(object => {
    requireChildren(object, FIELDS)
    const key = childText(object, 'Key')
    if (key === undefined || key === '') throw new S3Error('MalformedXML')
    requireUsableKey(key)
    const field = (name: string): string | undefined => childText(object, name)?.trim()
    const conditions = { ifMatch: field('ETag'), ifLastModified: field('LastModifiedTime'), ifSize: field('Size') }
    return { key, versionId: field('VersionId'), conditions }
  })
}
