import { statfs } from 'node:fs/promises'
import { floorOf, type SpaceReport } from '../../object-store/disk/free-space.js'

/** The part of a file system that is told by the system. Where files are not counted, as on btrfs, `files` is 0. */
export interface FileSpaceReport extends SpaceReport {
  files: number
  ffree: number
}

/** An installation may write some 100 MiB in this time. */
const LOOK_EACH_MS = 250

const ANSWER_MS = 5_000

/** Packages are many small files: they may use up the files of a file system before its bytes. */
const SHARE_OF_FILES = 0.01

/** Why nothing more may be written; undefined while there is enough space. */
export function shortageOf(space: FileSpaceReport, minBytes: number | undefined): string | undefined {
  if (minBytes === 0) return undefined
  const floor = floorOf(space, minBytes)
  if (space.bavail * space.bsize < floor)
    return `less than ${Math.round(floor / 1024 ** 2)} MiB of the disk are free (MIN_FREE_BYTES)`
  return space.ffree < SHARE_OF_FILES * space.files ? 'less than 1 % of the files of the disk are free' : undefined
}

/** There is too little space for a release. */
export class ShortageError extends Error {}

export interface SpaceWatchOptions {
  /** On the file system that is looked at. */
  folder: string
  /** Undefined: as for the embedded store. */
  minBytes: number | undefined
  report?: (folder: string) => Promise<FileSpaceReport>
  /** How long the first answer is waited for, in milliseconds. */
  answerMs?: number
}

/**
 * Looks at the free space while a release is written, since others write to the same disk: Redis, the store, the log.
 * `signal` is aborted, with a `ShortageError`, once there is too little.
 */
export class SpaceWatch {
  readonly #short = new AbortController()
  readonly signal: AbortSignal = this.#short.signal
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(private readonly options: SpaceWatchOptions) {}

  /**
   * Resolves after the first look, or when a disk that hangs has not answered in time.
   * @throws {ShortageError} there is too little already
   */
  async start(): Promise<void> {
    const { answerMs = ANSWER_MS } = this.options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => (timer = setTimeout(resolve, answerMs)))
    await Promise.race([this.#look(), late])
    clearTimeout(timer)
    this.signal.throwIfAborted()
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const { folder, minBytes, report = statfs } = this.options
    // A disk that says nothing of its space ends nothing.
    const reason = await report(folder).then(
      space => shortageOf(space, minBytes),
      () => undefined,
    )
    if (this.#isOver) return
    if (reason !== undefined) this.#short.abort(new ShortageError(reason))
    else this.#timer = setTimeout(() => void this.#look(), LOOK_EACH_MS)
  }
}
