import { once } from 'node:events'
import { PassThrough, pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ArchiveError, NO_ARCHIVE, NOT_WHOLE } from './archive-error.js'
import { Bytes, EntryBody } from './tar-bytes.js'
import { headerOf, kindOf, META, toldBy, utf8, type ToldFacts } from './tar-header.js'

/** A file, a folder or a link of an archive. */
export interface TarEntry {
  readonly path: string
  /** Another text: what it is, for people. */
  readonly kind: 'file' | 'folder' | 'symbolic link' | 'hard link' | (string & {})
  /** The target of a link. */
  readonly target: string
  readonly isExecutable: boolean
  /** The content of a file. It is gone when the next entry is read. */
  readonly chunks: AsyncIterable<Buffer>
}

const BLOCK = 512
/** The longest header of one name, with what else it tells about an entry. */
const MAX_META_BYTES = 1024 * 1024
/** The size of one piece. Smaller ones would cost more time than the files in them. */
const UNZIPPED_BYTES = 256 * 1024
const ZEROS = Buffer.alloc(64 * 1024)

/**
 * The entries of a tar stream, compressed by gzip or not: ustar, pax, GNU. It is read piece by piece and in no thread that
 * others wait for. What can be read in two ways is refused: a name that is no UTF-8, a sparse file, an archive
 * without its end, and bytes behind that.
 * @param maxBytes of the whole stream, unpacked
 * @param signal ends it, for the reason that it gives
 * @throws {ArchiveError}
 */
export async function* entriesOf(archive: Readable, maxBytes: number, signal?: AbortSignal): AsyncGenerator<TarEntry> {
  const received = new PassThrough()
  const leave = (error: Error): void => void received.destroy(error)
  const broken = (error: Error): void => leave(new ArchiveError(`it did not arrive completely: ${error.message}`))
  const closed = (): void => {
    if (!archive.readableEnded) broken(new Error('its sender disconnected'))
  }
  const abort = (): void => leave(signal?.reason as Error)
  received.on('error', () => undefined)
  archive.on('error', broken).on('close', closed)
  signal?.addEventListener('abort', abort)
  if (signal?.aborted === true) abort()
  else if (archive.destroyed) broken(archive.errored ?? new Error('its sender disconnected'))
  else archive.pipe(received)
  try {
    yield* entriesIn(new Bytes(await unzipped(received), maxBytes))
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    throw code.startsWith('Z_') ? new ArchiveError(`${NO_ARCHIVE}: ${message}`) : error
  } finally {
    signal?.removeEventListener('abort', abort)
    archive.off('close', closed).unpipe(received)
    received.destroy()
  }
}

async function unzipped(received: Readable): Promise<Readable> {
  let head: Buffer | null
  while ((head = received.read(2) as Buffer | null) === null && !received.readableEnded) {
    await Promise.race([once(received, 'readable'), once(received, 'end')])
  }
  if (head === null) throw new ArchiveError(`${NO_ARCHIVE}: the file is empty`)
  received.unshift(head)
  if (head[0] !== 0x1f || head[1] !== 0x8b) return received
  return pipeline(received, createGunzip({ chunkSize: UNZIPPED_BYTES }), () => undefined)
}

async function* entriesIn(bytes: Bytes): AsyncGenerator<TarEntry> {
  let told: ToldFacts = {}
  let isFirst = true
  for (;;) {
    const block = await bytes.exactly(BLOCK)
    if (block === undefined) throw new ArchiveError(isFirst ? NO_ARCHIVE : `${NOT_WHOLE}: the end is missing`)
    if (isZero(block)) break
    const header = headerOf(block, isFirst)
    isFirst = false
    if (META.includes(header.type)) {
      if (header.size > MAX_META_BYTES) throw new ArchiveError('one of its headers is too long')
      const meta = (await bytes.exactly(header.size)) ?? Buffer.alloc(0)
      await bytes.skip(paddingOf(header.size))
      told = { ...told, ...toldBy(header.type, meta) }
      continue
    }
    const path = told.path ?? utf8(header.path)
    const size = told.size ?? header.size
    const kind = kindOf(header.type, path)
    // Some programs give a folder a size, but no content.
    const length = kind === 'folder' && header.type !== 'D' ? 0 : size
    const body = new EntryBody(bytes, length)
    const target = told.target ?? utf8(header.target)
    yield { path, kind, target, isExecutable: header.isExecutable, chunks: body.chunks() }
    await body.skip()
    await bytes.skip(paddingOf(length))
    told = {}
  }
  if (Object.keys(told).length > 0) throw new ArchiveError(`${NOT_WHOLE}: the end is missing`)
  for await (const chunk of bytes.take(Infinity)) {
    if (!isZero(chunk)) throw new ArchiveError('there are bytes after its end')
  }
}

/** Many zeros may follow, and a loop over each byte would keep others waiting. */
function isZero(chunk: Buffer): boolean {
  for (let at = 0; at < chunk.length; at += ZEROS.length) {
    const piece = chunk.subarray(at, at + ZEROS.length)
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false
  }
  return true
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}
