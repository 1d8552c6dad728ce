import { statfs } from 'node:fs/promises'
import { S3Error } from '../errors.js'

/** Free space is checked again after this many bytes of one body. */
export const CHECKED_EVERY_BYTES = 4 * 1024 ** 2

const GIB = 1024 ** 3
const SHARE = 0.05

/** The part of a file system that is told by the system. */
export interface SpaceReport {
  bavail: number
  blocks: number
  bsize: number
}

/** The bytes that are to stay free. @param minBytes undefined: the smaller of 1 GiB and 5 % of the file system */
export function floorOf({ blocks, bsize }: SpaceReport, minBytes: number | undefined): number {
  return minBytes ?? Math.min(GIB, SHARE * blocks * bsize)
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
    const space = await this.report(this.directory)
    if (space.bavail * space.bsize < floorOf(space, this.minBytes)) throw new S3Error('XMinioStorageFull')
  }
}
