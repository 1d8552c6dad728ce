import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { changeUserInEnvironment } from '../../config/app-environment.js'

/** A user of this machine. */
export interface User {
  name: string
  uid: number
  gid: number
  home: string
  shell: string
}

const ROOT = 0

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
 * Creates the folder for the user, or gives the user one that root has made. Links are given as such, not followed, and
 * a file of several names stays root's: one of them may be elsewhere.
 * @throws {Error} when somebody else may have put something into it
 */
export function handOver(folder: string, { uid, gid }: User): void {
  const missing: string[] = []
  for (let at = folder; !fs.existsSync(at); at = dirname(at)) missing.unshift(at)
  for (const each of missing) fs.mkdirSync(each, { mode: 0o700 })
  for (const each of missing) fs.lchownSync(each, uid, gid)
  if (missing.length > 0) return
  const real = fs.realpathSync(folder)
  const { uid: owner, mode } = fs.lstatSync(real)
  if (owner !== ROOT) return
  if ((mode & 0o022) !== 0) throw new Error(`DATA_DIR: ${real} is root's and others may write to it: chmod go-w it`)
  // The folder itself comes last, so a handover that was cut short is begun again by the next start.
  giveAll(real, uid, gid)
}

function giveAll(folder: string, uid: number, gid: number): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) giveAll(path, uid, gid)
    else if (fs.lstatSync(path).nlink === 1) fs.lchownSync(path, uid, gid)
  }
  fs.lchownSync(folder, uid, gid)
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
