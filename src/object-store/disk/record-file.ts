import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { DamagedError } from '../errors.js'

/**
 * Body and metadata record in one file, so that one rename publishes both: body, then the record as JSON, then 16
 * bytes of trailer (magic, the record's length, its CRC-32). The record comes after the body because it contains the
 * body's hash, which is known last.
 */
const MAGIC = Buffer.from('OUTPOST1', 'latin1')
const TRAILER = 16
/** One read of this size gets nearly every record. Only objects of very many parts need a second read. */
const TAIL = 4096
const MAX_RECORD = 4 * 1024 * 1024

export interface ReadRecord {
  readonly record: unknown
  /** The body is the file's bytes from 0 to here. */
  readonly bodyLength: number
}

export class CorruptRecordError extends DamagedError {
  override readonly name = 'CorruptRecordError'
}

export function encodeRecord(record: object): Buffer {
  const json = Buffer.from(JSON.stringify(record), 'utf8')
  const trailer = Buffer.alloc(TRAILER)
  MAGIC.copy(trailer)
  trailer.writeUInt32BE(json.length, 8)
  trailer.writeUInt32BE(crc32(json), 12)
  return Buffer.concat([json, trailer])
}

/** Opens the file. The handle keeps showing this version, even if the name is replaced. The caller closes it. */
export async function openRecord(path: string): Promise<ReadRecord & { readonly handle: FileHandle }> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    const read = async (start: number, length: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, start)
      return buffer.subarray(0, bytesRead)
    }
    const tail = await read(Math.max(0, size - TAIL), Math.min(size, TAIL))
    const { length, checksum } = parseTrailer(tail, size)
    const start = size - TRAILER - length
    const json = length + TRAILER <= tail.length ? cut(tail, length) : await read(start, length)
    return { handle, bodyLength: start, record: parseRecord(json, checksum) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * The same, for the scan at start. No client is served yet, and for tens of thousands of small reads the synchronous
 * calls take a tenth of the time of the thread pool.
 */
export function readRecordSync(path: string): ReadRecord {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    const read = (start: number, length: number): Buffer => {
      const buffer = Buffer.allocUnsafe(length)
      return buffer.subarray(0, readSync(fd, buffer, 0, length, start))
    }
    const tail = read(Math.max(0, size - TAIL), Math.min(size, TAIL))
    const { length, checksum } = parseTrailer(tail, size)
    const start = size - TRAILER - length
    const json = length + TRAILER <= tail.length ? cut(tail, length) : read(start, length)
    return { bodyLength: start, record: parseRecord(json, checksum) }
  } finally {
    closeSync(fd)
  }
}

function cut(tail: Buffer, length: number): Buffer {
  return tail.subarray(tail.length - TRAILER - length, tail.length - TRAILER)
}

function parseTrailer(tail: Buffer, size: number): { length: number; checksum: number } {
  const trailer = tail.subarray(-TRAILER)
  if (trailer.length !== TRAILER || !trailer.subarray(0, 8).equals(MAGIC)) throw new CorruptRecordError('no trailer')
  const length = trailer.readUInt32BE(8)
  if (length > MAX_RECORD || length + TRAILER > size) throw new CorruptRecordError('impossible record length')
  return { length, checksum: trailer.readUInt32BE(12) }
}

function parseRecord(json: Buffer, checksum: number): unknown {
  if (crc32(json) !== checksum) throw new CorruptRecordError('checksum mismatch')
  return JSON.parse(json.toString('utf8')) as unknown
}
