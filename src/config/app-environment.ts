import { realpathSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'

type Environment = Record<string, string | undefined>

/** The name under which start-cluster.sh passes on what the person set as NODE_OPTIONS. */
const KEPT = 'OUTPOST_NODE_OPTIONS'

/** The mark of a worker that waits until it is wanted. The app never sees it. */
const SPARE = 'OUTPOST_SPARE'

/** The environment of a spare. */
export const spareEnvironment = { [SPARE]: '1' }

let kept: string | undefined

/**
 * Takes NODE_OPTIONS out of this process's environment, which all others inherit: it is meant for the workers. A
 * `--import tsx` is found from the app's folder, and not by a balancer or the store.
 */
export function keepNodeOptionsForApps(env: Environment = process.env): void {
  kept = env[KEPT] ?? env['NODE_OPTIONS']
  Reflect.deleteProperty(env, KEPT)
  Reflect.deleteProperty(env, 'NODE_OPTIONS')
}

/** The environment of another program of this kind, which finds the options of node that are the app's. */
export function programEnvironment(env: Environment = process.env): Environment {
  return kept === undefined ? { ...env } : { ...env, [KEPT]: kept }
}

/** The environment of commands that install an app. */
export function installEnvironment(env: Environment = process.env): Environment {
  return { ...env, ...nodeOptions() }
}

/** NODE_OPTIONS as a worker gets it. */
export function nodeOptions(): Record<string, string> {
  return kept === undefined ? {} : { NODE_OPTIONS: kept }
}

/**
 * Adds to the options of node that are the app's, and keeps them from this process and from others than the app's. A
 * program that is started from here finds them.
 */
export function addNodeOptionsForApps(options: readonly string[], env: Environment = process.env): void {
  const all = [env[KEPT] ?? env['NODE_OPTIONS'] ?? '', ...options].filter(text => text !== '')
  Reflect.deleteProperty(env, 'NODE_OPTIONS')
  if (all.length > 0) env[KEPT] = all.join(' ')
}

/**
 * The variables of an app's environment beside the person's own.
 * @param counting the name of a variable that is its value plus the number of the worker's place
 */
export function workerEnvironment(
  port: number,
  place: number,
  counting?: string,
  env: Environment = process.env,
): Record<string, string> {
  const first = counting === undefined ? NaN : Number(env[counting] ?? 0)
  const counted = counting === undefined || Number.isNaN(first) ? {} : { [counting]: String(first + place) }
  return { ...counted, PORT: String(port), NODE_APP_INSTANCE: String(place) }
}

/** Whether this worker is a spare. Takes the mark out of the environment. */
export function isSpare(env: Environment = process.env): boolean {
  const marked = env[SPARE] !== undefined
  Reflect.deleteProperty(env, SPARE)
  return marked
}

/** The public port, in a worker. */
export function appPort(env: Environment = process.env): number {
  return Number(env['PORT'])
}

/** Whether Node loads modules through hooks of the person's: the app is loaded later then. */
export function hasModuleHooks(env: Environment = process.env): boolean {
  return /--(import|loader|experimental-loader)\b/.test(env['NODE_OPTIONS'] ?? '')
}

/** Not every user has an entry in the list of users, nor HOME in the environment. */
export function homeFolder(): string {
  try {
    return homedir()
  } catch {
    return tmpdir()
  }
}

/** The folder that this process is in, and the name by which it was entered. */
let entered: { folder: string; name: string } | undefined

/** The folder in which the command was typed, by the name that the person knows it by: links in it may be moved. */
export function startFolder(): string {
  const folder = process.cwd()
  // Asked once: after a link has moved, the name is that of another folder, and this one may be gone.
  if (entered?.folder !== folder) entered = { folder, name: nameOf(folder, process.env['PWD']) }
  return entered.name
}

function nameOf(folder: string, PWD: string | undefined): string {
  try {
    return PWD !== undefined && realpathSync(PWD) === folder ? PWD : folder
  } catch {
    return folder
  }
}

/**
 * Places of the session in which the command was typed. Another user may not use them, and a login would not name them. A
 * place that belongs to the other user stays.
 */
const OF_SESSION = ['MAIL', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS', 'SSH_AUTH_SOCK']

/** Makes the environment that of another user, as a login would. */
export function changeUserInEnvironment(
  { name, uid, home, shell }: { name: string; uid: number; home: string; shell: string },
  env: Environment = process.env,
  ownerOf = ownerOfPath,
): void {
  Object.assign(env, { HOME: home, SHELL: shell })
  for (const each of OF_SESSION) {
    const [, path = ''] = /^(?:unix:path=)?([^,;]*)/.exec(env[each] ?? '') ?? []
    if (ownerOf(path) !== uid) Reflect.deleteProperty(env, each)
  }
  if (name !== '') Object.assign(env, { USER: name, LOGNAME: name })
  else for (const each of ['USER', 'LOGNAME']) Reflect.deleteProperty(env, each)
}

function ownerOfPath(path: string): number | undefined {
  try {
    return statSync(path).uid
  } catch {
    return undefined // it is not a path, or leads nowhere
  }
}
