import type { Readable } from 'node:stream'
import { ArchiveError } from './archive-error.js'
import { ReleaseTree, type ArchiveLimits, type Unpacked } from './release-tree.js'
import { entriesOf } from './tar-reader.js'

/** A header, and as much again for a long name. The stream has no end of its own otherwise. */
const STREAM_BYTES_AN_ENTRY = 8 * 1024

/** Why the disk cannot have an entry by its name. */
const NAME_FAULTS = ['ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'ELOOP']

/**
 * Unpacks a tar stream, compressed by gzip or not, into an empty folder. Nothing is written outside of it, and no link
 * leads out of it. What is there after an error is for the caller to remove.
 * @param hasApp whether the app is where the archive has it; else what is in the archive's only folder is moved up
 * @param signal ends it, for the reason that it gives
 * @throws {ArchiveError} a name or a link that leads out, a device, or more than the limits
 */
export async function unpack(
  archive: Readable,
  folder: string,
  limits: ArchiveLimits,
  hasApp: () => boolean,
  signal?: AbortSignal,
): Promise<Unpacked> {
  // An error after its end would have no listener.
  archive.on('error', () => undefined)
  const tree = new ReleaseTree(folder, limits)
  const maxBytes = limits.maxBytes + limits.maxEntries * STREAM_BYTES_AN_ENTRY
  try {
    for await (const entry of entriesOf(archive, maxBytes, signal)) {
      await tree.add(entry)
      signal?.throwIfAborted()
    }
    await tree.finish(hasApp)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw NAME_FAULTS.includes(code)
      ? new ArchiveError('a name in it is too long for the disk', { cause: error })
      : error
  }
  return tree.unpacked
}
