import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ShelfLimits } from './copy-shelf.js'
import { keptFileName, keptKey, readKeptFileName, roomIn, type KeptFileName } from './kept-file-name.js'

/** A copy of an answer as a file has it. */
export interface KeptFile {
  readonly name: string
  readonly group: string
  readonly key: string
  readonly encoding?: string | undefined
  readonly etag?: string | undefined
  readonly rawHeaders: string[]
  readonly body: Buffer
}

/** The copies that wait to be written. */
const MAX_WAITING_BYTES = 8 * 1024 ** 2
const MAX_WAITING = 64

/** A file that is younger than this need not be refreshed. */
const FRESH_MS = 60_000

interface QueuedCopy {
  readonly file: KeptFile
  /** It may be there already. */
  readonly isRefresh: boolean
}

/**
 * Copies of answers that several processes share, and that outlive them. All files together stay within the bounds,
 * those that are being written too. Nothing here fails: a copy that cannot be written or read is one less.
 */
export class KeptFolder {
  readonly #writer = randomBytes(8).toString('hex')
  readonly #waiting = new Map<string, QueuedCopy>()
  #waitingBytes = 0
  #isSaving = false
  /** The keys of files that were there, and were read or written here. */
  #known = new Set<string>()

  /** @param path made when it is needed, for this user alone */
  constructor(
    private readonly path: string,
    private readonly limits: ShelfLimits,
  ) {}

  /** Replaces an earlier copy of that name, and displaces others. A copy for which the queue has no room is not saved. */
  save(file: KeptFile): void {
    this.#enqueue({ file, isRefresh: false })
  }

  /** The answer has passed again: its copy is not the next to be removed, and is saved again if it was removed. */
  refresh(file: KeptFile): void {
    if (!this.#waiting.has(file.name)) this.#enqueue({ file, isRefresh: true })
  }

  /** The copies that were not read or written here. Files beyond the bounds are removed. */
  async load(): Promise<KeptFile[]> {
    const room = roomIn(await this.#found(), this.limits, Date.now())
    await this.#remove(room.remove)
    const known = new Set<string>()
    const read: KeptFile[] = []
    for (const { key, file } of room.stay) {
      const content = this.#known.has(key) ? undefined : await readKept(join(this.path, file))
      if (content !== undefined) read.push(content)
      if (content !== undefined || this.#known.has(key)) known.add(key)
    }
    this.#known = known
    return read
  }

  #enqueue(copy: QueuedCopy): void {
    const { name, body } = copy.file
    const bytes = this.#waitingBytes + body.length - (this.#waiting.get(name)?.file.body.length ?? 0)
    if (bytes > MAX_WAITING_BYTES || this.#waiting.size >= MAX_WAITING) return
    this.#waiting.set(name, copy)
    this.#waitingBytes = bytes
    if (!this.#isSaving) void this.#saveAll()
  }

  async #saveAll(): Promise<void> {
    this.#isSaving = true
    for (const [name, { file, isRefresh }] of this.#waiting) {
      this.#waiting.delete(name)
      this.#waitingBytes -= file.body.length
      if (!isRefresh || !(await this.#isRefreshed(file))) await this.#write(file)
    }
    this.#isSaving = false
  }

  async #isRefreshed({ group, name }: KeptFile): Promise<boolean> {
    const key = keptKey(group, name)
    const there = (await this.#found()).find(each => each.key === key && !each.isPart)
    if (there === undefined) return false
    if (Date.now() - there.at < FRESH_MS) return true
    const { file } = keptFileName(key, there.size, Date.now())
    return done(rename(join(this.path, there.file), join(this.path, file)))
  }

  async #write({ body, ...head }: KeptFile): Promise<void> {
    const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body])
    const added = keptFileName(keptKey(head.group, head.name), bytes.length, Date.now())
    const part = `${added.file}.${this.#writer}.part`
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 })
      // Its place is taken before the others are counted: another process that writes now counts it, or is counted here.
      await writeFile(join(this.path, part), '', { mode: 0o600 })
      const others = (await this.#found()).filter(({ file }) => file !== part)
      const room = roomIn(others, this.limits, Date.now(), added)
      await this.#remove(room.remove)
      if (!room.fits) return await this.#remove([part])
      await writeFile(join(this.path, part), bytes)
      await rename(join(this.path, part), join(this.path, added.file))
      await this.#remove(room.replaced.filter(file => file !== added.file))
      this.#known.add(added.key)
    } catch {
      await this.#remove([part])
    }
  }

  async #found(): Promise<KeptFileName[]> {
    const names = await readdir(this.path).catch(() => [])
    return names.map(readKeptFileName).filter(name => name !== undefined)
  }

  async #remove(files: readonly string[]): Promise<void> {
    for (const file of files) await done(rm(join(this.path, file), { force: true }))
  }
}

function done(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

async function readKept(path: string): Promise<KeptFile | undefined> {
  try {
    const bytes = await readFile(path)
    const end = bytes.indexOf('\n')
    // Only processes of this instance write here.
    const head = JSON.parse(bytes.subarray(0, end).toString()) as Omit<KeptFile, 'body'>
    return { ...head, body: bytes.subarray(end + 1) }
  } catch {
    return undefined
  }
}
