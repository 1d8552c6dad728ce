import type { OutgoingHttpHeaders } from 'node:http'
import type { S3Request } from '../request/s3-request.js'
import { ALGORITHMS, elementOf, type Algorithm, type StoredChecksum } from '../request/checksums.js'
import type { GivenChecksum } from '../disk/upload-completion.js'
import type { XmlNode } from './xml-parser.js'
import type { XmlFields } from './xml-writer.js'

export const CHECKSUM_ELEMENTS = ALGORITHMS.map(elementOf)

export function checksumHeaders(checksum: StoredChecksum | undefined): OutgoingHttpHeaders {
  if (!checksum) return {}
  return { ...valueHeader(checksum.algorithm, checksum.value), 'x-amz-checksum-type': checksum.type }
}

/** The checksum of a part, which has no type of its own. */
export function valueHeader(algorithm: Algorithm, value: string): OutgoingHttpHeaders {
  return { [`x-amz-checksum-${algorithm}`]: value }
}

export function checksumFields(checksum: StoredChecksum | undefined): XmlFields {
  if (!checksum) return {}
  return { [elementOf(checksum.algorithm)]: checksum.value, ChecksumType: checksum.type }
}

export function givenInHeaders(request: S3Request): GivenChecksum[] {
  return ALGORITHMS.flatMap(algorithm => {
    const value = request.header(`x-amz-checksum-${algorithm}`)
    return value === undefined ? [] : [{ algorithm, value }]
  })
}

export function givenInElements(node: XmlNode): GivenChecksum[] {
  return ALGORITHMS.flatMap(algorithm => {
    const value = node.children.find(child => child.name === elementOf(algorithm))?.text.trim()
    return value === undefined || value === '' ? [] : [{ algorithm, value }]
  })
}
