import fs from 'node:fs'
import { mkdir, open, realpath, rename, rm, rmdir, symlink, unlink } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { ArchiveError } from './archive-error.js'
import type { TarEntry } from './tar-reader.js'

/** The bounds of an archive. */
export interface ArchiveLimits {
  /** Bytes of all files together, unpacked. */
  maxBytes: number
  maxEntries: number
  /** Bytes of all names, which are in memory while it is unpacked. */
  maxNameBytes: number
  /** Folders at the top that are left out with all that is below them: `tar c .` packs the files of an instance, too. */
  leftOut?: readonly string[]
}

export interface Unpacked {
  files: number
  bytes: number
  /** Folders at the top that were in the archive, and were left out by their names. */
  leftOut: string[]
}

const MAX_NAME_BYTES = 4_000

/** The folder as it grows. Every folder in it was made here, so no path leads through a link. */
export class ReleaseTree {
  readonly unpacked: Unpacked = { files: 0, bytes: 0, leftOut: [] }
  #entries = 0
  #nameBytes = 0
  readonly #folders = new Set<string>([''])
  readonly #files = new Set<string>()
  /** Made at the end, when nothing is written any more. */
  #links = new Map<string, string>()
  /** Why the archive is refused, unless the one folder at its top turns out to be the app. */
  #doubt: ArchiveError | undefined

  constructor(
    private readonly folder: string,
    private readonly limits: ArchiveLimits,
  ) {}

  /** @throws {ArchiveError} */
  async add(entry: TarEntry): Promise<void> {
    const name = nameOf(entry.path)
    if (this.#leaveOut(name)) return
    this.#entries += 1
    if (this.#entries > this.limits.maxEntries)
      throw new ArchiveError(`it has more than ${this.limits.maxEntries} entries`)
    switch (entry.kind) {
      case 'folder':
        return this.#makeFolder(name)
      case 'file':
        return this.#write(name, entry)
      case 'symbolic link':
        await this.#makeFolder(parentOf(name))
        this.#claim(name)
        this.#countNames(entry.target)
        this.#links.set(name, entry.target)
        return
      case 'hard link':
        return this.#copyLink(name, nameOf(entry.target))
      default:
        this.#refuse(name, `${shown(name)} is a ${entry.kind}; an app has files, folders and links`)
    }
  }

  /**
   * Makes the links and checks where they lead. Archives of npm and of code hosts have one folder at the top, with the
   * app in it. The content of such a folder is moved up.
   * @throws {ArchiveError}
   */
  async finish(hasApp: () => boolean): Promise<void> {
    for (const [name, to] of this.#links) {
      if (to === '' || to.includes('\0') || to.startsWith('/')) this.#refuseLink(name, leadsOut(name, to))
      else await symlink(to, join(this.folder, name))
    }
    await this.#checkLinks()
    const wrapper = this.#wrapper()
    if (wrapper !== undefined && !hasApp()) await this.#unwrap(wrapper)
    if (this.#doubt !== undefined) throw this.#doubt
  }

  /** A link leads elsewhere once its folder has moved, so all links are checked again. */
  async #unwrap(wrapper: string): Promise<void> {
    const inner = `${this.folder}-inner`
    await rename(join(this.folder, wrapper), inner)
    await rmdir(this.folder)
    await rename(inner, this.folder)
    this.#doubt = undefined
    for (const name of this.limits.leftOut ?? []) {
      const path = join(this.folder, name)
      if (!fs.existsSync(path)) continue
      this.#leaveOut(name)
      await rm(path, { recursive: true, force: true })
    }
    const moved = [...this.#links].map(([name, to]) => [name.slice(wrapper.length + 1), to] as const)
    this.#links = new Map(moved.filter(([name]) => !this.#isLeftOut(name)))
    await this.#checkLinks()
  }

  async #checkLinks(): Promise<void> {
    const root = await realpath(this.folder)
    for (const [name, to] of this.#links) {
      const real = await realpath(join(this.folder, name)).catch(() => undefined)
      if (real === undefined) {
        const error = new ArchiveError(`the link ${shown(name)} leads nowhere: ${shown(to)}`)
        await this.#removeLink(name, error)
      } else if (real !== root && !real.startsWith(root + sep)) await this.#removeLink(name, leadsOut(name, to))
    }
  }

  async #removeLink(name: string, error: ArchiveError): Promise<void> {
    this.#refuseLink(name, error)
    await unlink(join(this.folder, name))
  }

  #refuseLink(name: string, error: ArchiveError): void {
    this.#refuse(name, error.message)
    this.#links.delete(name)
  }

  /** An entry that would be left out after `#unwrap` is refused at the end, and only if nothing is unwrapped. */
  #refuse(name: string, why: string): void {
    const error = new ArchiveError(why)
    if (!this.#isLeftOut(name.slice(name.indexOf('/') + 1))) throw error
    this.#doubt ??= error
  }

  #isLeftOut(name: string): boolean {
    return this.#leftOutWith(name) !== undefined
  }

  #leaveOut(name: string): boolean {
    const folder = this.#leftOutWith(name)
    const { leftOut } = this.unpacked
    if (folder !== undefined && !leftOut.includes(folder)) leftOut.push(folder)
    return folder !== undefined
  }

  #leftOutWith(name: string): string | undefined {
    return this.limits.leftOut?.find(folder => name === folder || name.startsWith(`${folder}/`))
  }

  /** The only folder at the top, with all that there is. */
  #wrapper(): string | undefined {
    const tops = new Set(
      [...this.#folders, ...this.#files, ...this.#links.keys()].map(name => name.split('/', 1)[0] ?? ''),
    )
    const [only = '', ...others] = [...tops].filter(name => name !== '')
    return others.length === 0 && only !== '' && this.#folders.has(only) ? only : undefined
  }

  async #write(name: string, entry: TarEntry): Promise<void> {
    await this.#makeFolder(parentOf(name))
    await this.#replace(name)
    const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW
    const file = await open(join(this.folder, name), flags, entry.isExecutable ? 0o755 : 0o644)
    try {
      this.#files.add(name)
      this.unpacked.files += 1
      for await (const chunk of entry.chunks) {
        this.#count(chunk.length)
        await file.writeFile(chunk)
      }
    } finally {
      await file.close()
    }
  }

  /** A second name of a file becomes a file of its own: the release owns all that it holds. */
  async #copyLink(name: string, from: string): Promise<void> {
    if (!this.#files.has(from)) throw new ArchiveError(`the link ${shown(name)} does not lead to a file of the archive`)
    // It is the same file.
    if (name === from) return
    await this.#makeFolder(parentOf(name))
    await this.#replace(name)
    const { size } = await fs.promises.stat(join(this.folder, from))
    this.#count(size)
    await fs.promises.copyFile(join(this.folder, from), join(this.folder, name), fs.constants.COPYFILE_EXCL)
    this.#files.add(name)
    this.unpacked.files += 1
  }

  async #makeFolder(name: string): Promise<void> {
    if (this.#folders.has(name)) return
    await this.#makeFolder(parentOf(name))
    // A path of one entry may name a thousand folders.
    if (this.#folders.size > this.limits.maxEntries)
      throw new ArchiveError(`it has more than ${this.limits.maxEntries} folders`)
    this.#claim(name)
    await mkdir(join(this.folder, name), { mode: 0o755 })
    this.#folders.add(name)
  }

  /** In an archive that was appended to, the last file of a name counts. */
  async #replace(name: string): Promise<void> {
    if (!this.#files.has(name)) return this.#claim(name)
    this.#files.delete(name)
    this.unpacked.files -= 1
    await unlink(join(this.folder, name))
  }

  #claim(name: string): void {
    if (name === '' || this.#folders.has(name) || this.#files.has(name) || this.#links.has(name)) {
      throw new ArchiveError(`${shown(name)} is in it twice`)
    }
    this.#countNames(name)
  }

  #count(bytes: number): void {
    this.unpacked.bytes += bytes
    if (this.unpacked.bytes > this.limits.maxBytes) {
      throw new ArchiveError(`it is larger than ${Math.round(this.limits.maxBytes / 1024 ** 2)} MiB unpacked`)
    }
  }

  #countNames(text: string): void {
    this.#nameBytes += Buffer.byteLength(text)
    if (this.#nameBytes > this.limits.maxNameBytes) {
      throw new ArchiveError(
        `its names are longer than ${Math.round(this.limits.maxNameBytes / 1024 ** 2)} MiB together`,
      )
    }
  }
}

/** The path below the folder, without a leading `./`; the folder itself is ''. */
function nameOf(path: string): string {
  const leadsOut = new ArchiveError(`the name ${shown(path)} leads out of it`)
  if (path.includes('\0') || path.startsWith('/') || Buffer.byteLength(path) > MAX_NAME_BYTES) throw leadsOut
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw leadsOut
  return parts.join('/')
}

function parentOf(name: string): string {
  const parent = dirname(name)
  return parent === '.' ? '' : parent
}

function leadsOut(name: string, to: string): ArchiveError {
  return new ArchiveError(`the link ${shown(name)} leads out of it: ${shown(to)}`)
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200))
}
