import { statfs } from 'node:fs/promises'
import { S3Error } from '../errors.js'

/** Space is looked at again after so many bytes of one body. */
export const CHECKED_EVERY_BYTES = 4 * 1024 ** 2

const GIB = 1024 ** 3
const SHARE = 0.05

/** The part of a file system that is told by the system. */
export interface SpaceReport {
  bavail: number
  blocks: number
  bsize: number
}

/**
 * Keeps some space free on the file system: others write there as well (Redis, the log), and a removal needs some
 * itself. Writes of bodies are refused under the floor, removals never.
 */
export class FreeSpace {
  constructor(
    private readonly directory: string,
    /** Undefined: the smaller of 1 GiB and 5 % of the file system. */
    private readonly minBytes: number | undefined,
    private readonly report: (directory: string) => Promise<SpaceReport> = statfs,
  ) {}

  /** @throws {S3Error} XMinioStorageFull under the floor */
  async require(): Promise<void> {
    const { bavail, blocks, bsize } = await this.report(this.directory)
    const floor = this.minBytes ?? Math.min(GIB, SHARE * blocks * bsize)
    if (bavail * bsize < floor) throw new S3Error('XMinioStorageFull')
  }
}
