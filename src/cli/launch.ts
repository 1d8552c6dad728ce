import { readFileSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { addNodeOptionsForApps, startFolder } from '../config/app-environment.js'
import { enterFolder, namedDataDir, newInFile, setEnvironment } from '../config/command-environment.js'
import { exitCodes } from '../process/exit.js'
import { Failure } from './failure.js'

/** The words of a `start`. Paths are relative to the folder in which it was typed. */
export interface StartOptions {
  workers?: string
  port?: string
  envFile?: string[]
  dataDir?: string
}

/** The environment and the folder that the program is to run in. */
export interface Launch {
  /** Undefined: where the command was typed. */
  cwd?: string
  /** The settings of Outpost, by names of docs/config.md. */
  settings: Record<string, string>
  /** The app's own variables; they replace those of the person. */
  env: Record<string, string>
  /** Options of node, for the app. */
  nodeOptions: string[]
  /** A remark for the person. */
  notes: string[]
}

/** The launch of an app that is a file or a folder. A folder is where it runs. */
export function launchOf(app: string | undefined, args: readonly string[]): Launch {
  const launch: Launch = { settings: {}, env: {}, nodeOptions: [], notes: [] }
  if (args.length > 0) launch.settings['APP_ARGS'] = quoted(args)
  if (app === undefined) return launch
  const path = resolve(startFolder(), app)
  launch.settings['APP'] = path
  return isFolder(path) ? { ...launch, cwd: path } : launch
}

/** Prepares this process to become the program, or to start it: its folder and its environment. */
export function prepare(launch: Launch, options: StartOptions): void {
  for (const file of options.envFile ?? []) setEnvironment(newInFile(textOf(file)))
  const dataDir = options.dataDir === undefined ? namedDataDir() : resolve(options.dataDir)
  const settings = {
    ...launch.settings,
    ...(options.workers === undefined ? {} : { WORKERS: options.workers }),
    ...(options.port === undefined ? {} : { PORT: options.port }),
    ...(dataDir === undefined ? {} : { DATA_DIR: dataDir }),
  }
  setEnvironment(launch.env)
  setEnvironment(Object.fromEntries(Object.entries(settings).map(([name, value]) => [`OUTPOST_${name}`, value])))
  addNodeOptionsForApps(launch.nodeOptions)
  if (launch.cwd !== undefined) enterFolder(launch.cwd)
}

/** As APP_ARGS takes them. */
export function quoted(words: readonly string[]): string {
  return words.map(word => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(exitCodes.config, `${basename(file)} cannot be read: ${(error as Error).message}`)
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
