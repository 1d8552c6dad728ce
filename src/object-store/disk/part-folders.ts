import { rm } from 'node:fs/promises'
import { join } from 'node:path'

export function partName(partNumber: number): string {
  return String(partNumber).padStart(5, '0')
}

/**
 * The folders that multipart objects are read from. A replaced or deleted object gives up its folder at once,
 * but the folder is removed only after its last reader: a download always ends with the version that it began with.
 */
export class PartFolders {
  readonly #folders = new Map<string, { readers: number; doomed: boolean }>()

  constructor(private readonly root: string) {}

  pathOf(uploadId: string): string {
    return join(this.root, uploadId)
  }

  has(uploadId: string): boolean {
    return this.#folders.has(uploadId)
  }

  /** Must come before an object that refers to the folder can be found. */
  adopt(uploadId: string): void {
    this.#folders.set(uploadId, { readers: 0, doomed: false })
  }

  /** Undoes an adoption. The folder stays that of an upload under way. */
  disown(uploadId: string): void {
    this.#folders.delete(uploadId)
  }

  /** False when the folder's object has been replaced meanwhile: look the object up again. */
  acquire(uploadId: string): boolean {
    const folder = this.#folders.get(uploadId)
    if (!folder || folder.doomed) return false
    folder.readers++
    return true
  }

  async release(uploadId: string): Promise<void> {
    const folder = this.#folders.get(uploadId)
    if (!folder) return
    folder.readers--
    await this.#removeIfUnused(uploadId)
  }

  async doom(uploadId: string): Promise<void> {
    const folder = this.#folders.get(uploadId)
    if (!folder) return
    folder.doomed = true
    await this.#removeIfUnused(uploadId)
  }

  async #removeIfUnused(uploadId: string): Promise<void> {
    const folder = this.#folders.get(uploadId)
    if (!folder?.doomed || folder.readers > 0) return
    this.#folders.delete(uploadId)
    // A folder that cannot be removed now has no references, and the next start removes it.
    await rm(this.pathOf(uploadId), { recursive: true, force: true }).catch(() => undefined)
  }
}
