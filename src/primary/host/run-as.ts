import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { changeUserInEnvironment } from '../../config/app-environment.js'
import { isOfRoot, pathOfRoot } from '../../process/path-of-root.js'
import { LOCK_FILE } from './instance-folder.js'

/** A user of this machine. */
export interface User {
  name: string
  uid: number
  gid: number
  home: string
  shell: string
}

const ROOT = 0
const OTHERS = 0o077

/** The calls of a Unix. They are used by root alone. */
const identity = process as unknown as Record<'setgid' | 'setuid', (id: number) => void> & {
  setgroups(groups: number[]): void
  initgroups(user: string, group: number): void
}

/** Ports below this one are root's to bind. */
const FIRST_FREE_PORT = 1_024

/** Whether a port has to be bound before root is given up. */
export function needsRoot(port: number): boolean {
  return port > 0 && port < FIRST_FREE_PORT
}

/**
 * Finds the user to run as: `RUN_AS`, or else the owner of the app's folder.
 * @returns undefined if this process is to stay what it is: it is not root's, or nobody else is named
 * @throws {Error} names RUN_AS when there is no such user, or when only root could become that user
 */
export function userToBe(runAs: string | undefined, app: string | undefined): User | undefined {
  const uid = process.getuid?.()
  if (uid !== ROOT) {
    if (runAs !== undefined && userOf(runAs)?.uid !== uid) {
      throw new Error(`RUN_AS=${runAs}: only root can run the program as another user`)
    }
    return undefined
  }
  const user = runAs === undefined ? ownerOf(app) : userOf(runAs)
  if (user === undefined && runAs !== undefined) throw new Error(`RUN_AS=${runAs}: there is no such user`)
  return user?.uid === ROOT ? undefined : user
}

/**
 * Gives up root for good: user, groups, HOME and USER are that user's from now on, here and in all that is started.
 * Files that root has left in `dataDir` are handed over first.
 */
export function becomeUser(user: User, dataDir: string): void {
  handOver(dataDir, user)
  if (user.name === '') identity.setgroups([user.gid])
  else identity.initgroups(user.name, user.gid)
  identity.setgid(user.gid)
  identity.setuid(user.uid)
  changeUserInEnvironment(user)
}

/**
 * Creates the folder for the user, or gives the user what root has left in it. Links in it are given as such, not followed,
 * and a file of several names stays root's: one of them may be elsewhere. Root does so only where it alone decides what
 * the folder is, since the user could make a link to /etc of a folder of its own, or where the folder itself shows that
 * it is a DATA_DIR.
 * @throws {Error} when somebody else may have put something into it, or decides where its path leads
 */
export function handOver(folder: string, user: User): void {
  const missing: string[] = []
  let parent = folder
  for (; !fs.existsSync(parent); parent = dirname(parent)) missing.unshift(basename(parent))
  if (missing.length > 0) return makeFolders(parent, missing, user)
  if (fs.statSync(folder).uid !== ROOT || giveOwnData(folder, user)) return
  const real = pathGiven(folder, user)
  const { mode } = fs.lstatSync(real)
  if (!isOfRoot(real)) throw new Error(`DATA_DIR: ${real} is root's and others may write to it: chmod go-w it`)
  // The folder itself comes last, so a handover that was cut short is begun again by the next start.
  giveAllIn(real, user, (mode & OTHERS) === 0)
  fs.lchownSync(real, user.uid, user.gid)
}

/**
 * Gives the user a closed folder in which root has run this program before. Nobody else can have made it look so. It is
 * held open meanwhile, because the user may put something else in its place.
 * @returns false, with nothing done, if it is no such folder, or if a link led there
 */
function giveOwnData(folder: string, user: User): boolean {
  const held = holdOpen(folder)
  if (held === undefined) return false
  try {
    const { uid, mode } = fs.fstatSync(held.fd)
    const isClosed = uid === ROOT && (mode & OTHERS) === 0
    if (!isClosed || fs.readlinkSync(held.path) !== folder || !isMarked(held.path)) return false
    giveAllIn(held.path, user, isClosed)
    fs.fchownSync(held.fd, user.uid, user.gid)
    return true
  } finally {
    fs.closeSync(held.fd)
  }
}

/** @returns a path to the folder that stays, whatever is renamed; undefined where there is none, as beside Linux */
function holdOpen(folder: string): { fd: number; path: string } | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants
  if (!fs.existsSync('/proc/self/fd')) return undefined
  try {
    const fd = fs.openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    return { fd, path: `/proc/self/fd/${fd}` }
  } catch {
    return undefined
  }
}

/** Only root writes to the folder. The lock itself may have been given by a start that was cut short. */
function isMarked(folder: string): boolean {
  return fs.lstatSync(join(folder, LOCK_FILE), { throwIfNoEntry: false })?.isFile() === true
}

/**
 * In a folder that is not root's, the folders are held open, because its owner may put something else in their place. Does
 * nothing where a link led there: that user makes them, as far as a user may.
 */
function makeFolders(parent: string, names: readonly string[], { uid, gid }: User): void {
  if (isKeptByRoot(parent)) {
    const paths = names.map((_, i) => join(parent, ...names.slice(0, i + 1)))
    for (const path of paths) fs.mkdirSync(path, { mode: 0o700 })
    for (const path of paths) fs.lchownSync(path, uid, gid)
    return
  }
  const held = [holdOpen(parent)]
  try {
    if (held[0] === undefined || fs.readlinkSync(held[0].path) !== parent || fs.fstatSync(held[0].fd).uid === ROOT)
      return
    for (const name of names) {
      const path = join(held.at(-1)?.path ?? '', name)
      fs.mkdirSync(path, { mode: 0o700 })
      const made = holdOpen(path)
      held.push(made)
      if (made === undefined || fs.readdirSync(made.path).length > 0) throw new Error(`DATA_DIR: ${path} was replaced`)
      fs.fchownSync(made.fd, uid, gid)
    }
  } finally {
    for (const each of held) if (each !== undefined) fs.closeSync(each.fd)
  }
}

function isKeptByRoot(folder: string): boolean {
  try {
    return isOfRoot(pathOfRoot(folder))
  } catch {
    return false
  }
}

function pathGiven(folder: string, { uid, gid }: User): string {
  try {
    return pathOfRoot(folder)
  } catch (cause) {
    const remedy = `if this is intended, run "chown -R ${uid}:${gid} ${folder}/"`
    throw new Error(`DATA_DIR: ${folder} is root's, and ${(cause as Error).message}: ${remedy}`, { cause })
  }
}

/** @param isClosed nobody else gets into the folder, whatever the modes below it */
function giveAllIn(folder: string, { uid, gid }: Pick<User, 'uid' | 'gid'>, isClosed: boolean): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    const { uid: owner, nlink } = fs.lstatSync(path)
    // Another user's folder was given before, with all below it, and that user may change it meanwhile.
    if (owner !== ROOT) continue
    if (!entry.isDirectory()) {
      if (nlink === 1) fs.lchownSync(path, uid, gid)
      continue
    }
    if (!isClosed && !isOfRoot(path)) throw new Error(`DATA_DIR: others may write to ${path}: chmod go-w it`)
    giveAllIn(path, { uid, gid }, isClosed)
    fs.lchownSync(path, uid, gid)
  }
}

/** @param app a file or a folder */
function ownerOf(app: string | undefined): User | undefined {
  if (app === undefined) return undefined
  const folder = fs.statSync(app, { throwIfNoEntry: false })?.isDirectory() === true ? app : dirname(app)
  const { uid, gid } = fs.statSync(folder)
  if (uid === ROOT) return undefined
  return userOf(String(uid)) ?? { name: '', uid, gid, home: '/', shell: '/bin/sh' }
}

/** @param key a name or a number, as in passwd(5) or any other list of users that this machine asks */
function userOf(key: string): User | undefined {
  const { status, stdout } = spawnSync('getent', ['passwd', key], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const [name = '', , uid, gid, , home = '/', shell = '/bin/sh'] = stdout.trim().split(':')
  return { name, uid: Number(uid), gid: Number(gid), home, shell }
}
