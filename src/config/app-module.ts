import { existsSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { commandIn } from './procfile.js'
import { shellWords } from './shell-words.js'

/** The file that Node is to run, and its arguments. */
export interface AppModule {
  file: string
  args: readonly string[]
}

/** The parts of a package.json that are read here. */
export interface PackageJson {
  main?: unknown
  scripts?: { start?: unknown }
  dependencies?: object
  optionalDependencies?: object
}

/**
 * Finds the file of an app. A folder names it by the `web:` line of its Procfile, else by the `start` script of its
 * package.json, where that is plain `node FILE ARGS`; else by `main`. Without them it is index.js, server.js (which
 * `npm start` runs then) or app.js. Called anew for each worker: a link may lead elsewhere by then.
 * @param path of a file or a folder; undefined is returned when it leads to no file
 */
export function findAppModule(path: string): AppModule | undefined {
  if (!isFolder(path)) return moduleAt(path)
  for (const command of commandsIn(path)) {
    const started = startedBy(command, path)
    if (started !== undefined) return started
  }
  const { main } = packageIn(path) ?? {}
  const named = typeof main === 'string' ? findMain(join(path, main)) : undefined
  return named ?? findMain(path) ?? moduleAt(join(path, 'server')) ?? moduleAt(join(path, 'app'))
}

/** The command that usually starts the app of a folder, if Outpost follows neither it nor a later one. */
export function commandNotFollowed(path: string): string | undefined {
  const commands = isFolder(path) ? commandsIn(path) : []
  return commands.some(command => startedBy(command, path) !== undefined) ? undefined : commands[0]
}

/**
 * The app in a folder that holds another version of it: the same file as before, where that is a file below the folder
 * in which it was started, else what the folder's package.json says.
 */
export function appIn(folder: string, app: string | undefined, startedIn: string): string {
  if (app === undefined || isFolder(app)) return folder
  const name = relative(startedIn, app)
  const same = join(folder, name)
  return !name.startsWith('..') && !isAbsolute(name) && moduleAt(same) !== undefined ? same : folder
}

/**
 * The app of a release. It runs the file that it was tried with, whatever the program was started with since.
 * @param main that file, from the folder; undefined if it is not known
 */
export function moduleOfRelease(
  folder: string,
  main: string | undefined,
  app: string | undefined,
  startedIn: string,
): AppModule | undefined {
  const named = findAppModule(appIn(folder, app, startedIn))
  const tried = main === undefined ? undefined : moduleAt(join(folder, main))
  return tried === undefined || tried.file === named?.file ? named : tried
}

/** The folder that names the processes beside the app, before a deploy: the app's own, else the one it was started in. */
export function folderOfApp(app: string, startedIn: string): string {
  return isFolder(app) ? app : startedIn
}

/** Those that may say how the app is started, in the order in which they count. */
function commandsIn(folder: string): string[] {
  const commands = [commandIn(folder, 'web'), packageIn(folder)?.scripts?.start]
  return commands.filter(command => typeof command === 'string')
}

function startedBy(script: string, folder: string): AppModule | undefined {
  const words = /[;&|<>$`*?()]/.test(script) ? undefined : shellWords(script)
  const [node, file, ...args] = words ?? []
  if (node !== 'node' || file === undefined || file.startsWith('-')) return undefined
  const found = findMain(resolve(folder, file))
  return found && { ...found, args }
}

/** As Node does with a main module that is a folder. */
function findMain(path: string): AppModule | undefined {
  return isFolder(path) ? moduleAt(join(path, 'index.js')) : moduleAt(path)
}

function moduleAt(path: string): AppModule | undefined {
  const file = [path, `${path}.js`, `${path}.mjs`, `${path}.cjs`].find(name => existsSync(name) && !isFolder(name))
  return file === undefined ? undefined : { file, args: [] }
}

/** Undefined when there is none, or it is no JSON. */
export function packageIn(folder: string): PackageJson | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson
  } catch {
    return undefined
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
