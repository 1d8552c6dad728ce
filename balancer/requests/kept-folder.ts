import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A copy of an answer as a file has it. */
export interface KeptFile {
  readonly name: string
  readonly key: string
  readonly encoding?: string | undefined
  readonly etag?: string | undefined
  readonly rawHeaders: string[]
  readonly body: Buffer
}

const PART = '.part'

/**
 * Copies of answers that several processes share, and that outlive them. Nothing here fails: a copy that cannot be written
 * or read is one less.
 */
export class KeptFolder {
  /** @param path made when it is needed, for this user alone */
  constructor(private readonly path: string) {}

  async save({ body, ...head }: KeptFile): Promise<void> {
    const path = join(this.path, createHash('sha256').update(head.name).digest('hex'))
    try {
      if (await isThere(path)) return await utimes(path, new Date(), new Date())
      await mkdir(this.path, { recursive: true, mode: 0o700 })
      const part = `${path}.${process.pid}${PART}`
      await writeFile(part, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]), { mode: 0o600 })
      await rename(part, path)
    } catch {
      return
    }
  }

  /** The newest, up to both bounds, the oldest of them first. Removes the others. */
  async load({ maxBytes, maxCount }: { maxBytes: number; maxCount: number }): Promise<KeptFile[]> {
    const names = await readdir(this.path).catch(() => [])
    const files = await Promise.all(
      names
        .filter(name => !name.endsWith(PART))
        .map(async name => {
          const path = join(this.path, name)
          const found = await stat(path).catch(() => undefined)
          return { path, size: found?.size ?? 0, at: found?.mtimeMs ?? 0 }
        }),
    )
    const kept: KeptFile[] = []
    let bytes = 0
    for (const { path, size } of files.sort((a, b) => b.at - a.at)) {
      bytes += size
      const file = bytes <= maxBytes && kept.length < maxCount ? await read(path) : undefined
      if (file === undefined) await rm(path, { force: true }).catch(() => undefined)
      else kept.unshift(file)
    }
    return kept
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function read(path: string): Promise<KeptFile | undefined> {
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
