import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { realPath } from '../../process/real-path.js'

/** What an app may have, apart from its packages, to be kept as it was started. */
export interface CopyLimits {
  maxEntries: number
  maxBytes: number
}

const LIMITS: CopyLimits = { maxEntries: 5_000, maxBytes: 256 * 1024 ** 2 }

/** Never part of an app. */
const NEVER = new Set(['.git', '.outpost'])
const PACKAGES = 'node_modules'

/** The app cannot be kept. */
export class CopyError extends Error {}

/**
 * Copies an app as it is now, so that it can be run when its folder has changed. Packages are not copied: each
 * `node_modules` of the copy is a link to the one of the app, as is the one that the app finds in a folder above its own.
 * @param app its folder
 * @param written the folder that the instance writes to, which may be in it
 * @throws {CopyError} it is too large
 */
export async function copyApp(app: string, to: string, written: string, limits = LIMITS): Promise<void> {
  // The folder that is written to may be named by another link, and the copy is in it.
  const from = realPath(app)
  const leftOut = realPath(written)
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true, mode: 0o700 })
  let entries = 0
  let bytes = 0
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(from, at), { withFileTypes: true }).catch(noneIfLeftOut)) {
      const path = join(at, entry.name)
      const source = join(from, path)
      if (NEVER.has(entry.name) || source === leftOut) continue
      if ((entries += 1) > limits.maxEntries) throw new CopyError(`it has more than ${limits.maxEntries} files`)
      if (entry.name === PACKAGES) await symlink(source, join(to, path))
      else if (entry.isDirectory()) {
        await mkdir(join(to, path))
        await visit(path)
      } else if (entry.isSymbolicLink()) await copyLink(source, join(to, path), from).catch(noneIfLeftOut)
      else if (entry.isFile()) {
        bytes += await lstat(source).then(
          ({ size }) => size,
          () => 0,
        )
        if (bytes > limits.maxBytes) throw new CopyError(`it has more than ${limits.maxBytes >> 20} MiB`)
        await copyFile(source, join(to, path), constants.COPYFILE_FICLONE).catch(noneIfLeftOut)
      }
    }
  }
  await visit('')
  await linkPackagesAbove(from, to)
}

/** A link within the app leads to the copy; one that leads out, or begins at the root, leads where it did. */
async function copyLink(link: string, copy: string, from: string): Promise<void> {
  const target = await readlink(link)
  const led = resolve(dirname(link), target)
  await symlink(relative(from, led).startsWith('..') ? led : target, copy)
}

/** Node looks for packages in the folders above, too, and the copy is elsewhere. */
async function linkPackagesAbove(from: string, to: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    const packages = join(folder, PACKAGES)
    const isThere = await lstat(packages).then(
      () => true,
      () => false,
    )
    if (isThere) {
      if (folder !== from) await symlink(packages, join(to, PACKAGES))
      return
    }
    if (folder === dirname(folder)) return
  }
}

/** What this user cannot read, the app cannot need; and what it removes while it is copied, it need not keep. */
function noneIfLeftOut(error: NodeJS.ErrnoException): [] {
  if (error.code !== 'EACCES' && error.code !== 'ENOENT') throw error
  return []
}
