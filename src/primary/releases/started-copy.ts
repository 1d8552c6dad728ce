import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'

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
 * @param leftOut a folder in it that is not the app's, absolute
 * @throws {CopyError} it is too large
 */
export async function copyApp(from: string, to: string, leftOut: string, limits = LIMITS): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true, mode: 0o700 })
  let entries = 0
  let bytes = 0
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(join(from, at), { withFileTypes: true })) {
      const path = join(at, entry.name)
      const source = join(from, path)
      if (NEVER.has(entry.name) || source === leftOut) continue
      if ((entries += 1) > limits.maxEntries) throw new CopyError(`it has more than ${limits.maxEntries} files`)
      if (entry.name === PACKAGES) await symlink(source, join(to, path))
      else if (entry.isDirectory()) {
        await mkdir(join(to, path))
        await visit(path)
      } else if (entry.isSymbolicLink()) await symlink(await targetIn(from, source), join(to, path))
      else if (entry.isFile()) {
        bytes += (await lstat(source)).size
        if (bytes > limits.maxBytes) throw new CopyError(`it has more than ${limits.maxBytes >> 20} MiB`)
        await copyFile(source, join(to, path), constants.COPYFILE_FICLONE).catch(unlessForbidden)
      }
    }
  }
  await visit('')
  await linkPackagesAbove(from, to)
}

/** A link within the app leads to the copy; one that leads out, or begins at the root, stays what it is. */
async function targetIn(from: string, link: string): Promise<string> {
  const target = await readlink(link)
  if (isAbsolute(target)) return target
  const led = resolve(dirname(link), target)
  return relative(from, led).startsWith('..') ? led : target
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

/** What this user cannot read, the app cannot need. */
function unlessForbidden(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES') throw error
}
