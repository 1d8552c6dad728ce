import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { exitCodes } from '../../process/exit.js'
import { shellWords as wordsOf } from '../../config/shell-words.js'
import { Failure } from '../failure.js'
import { quoted, type Launch } from '../launch.js'
import { isPathOfVariables, translated } from './translation.js'

/** An app of an ecosystem file, as the person wrote it. */
type App = Readonly<Record<string, unknown>>

export interface EcosystemOptions {
  /** The name behind `env_` of variables to add. */
  env?: string
  /** The app, where the file has several. */
  only?: string
  /** Take the place of the app's own `args`. */
  args: readonly string[]
}

export const FOR_ECOSYSTEM_FILES = '--env and --only are for an ecosystem file of PM2'

/** Whether PM2 would read the file, not run it. */
export function isEcosystemFile(path: string): boolean {
  return /\.(json|ya?ml|config\.[cm]?js)$/.test(basename(path))
}

/**
 * The counterpart of an app in PM2's ecosystem file. A field without one is among the notes, with the reason.
 * @throws {Failure} the file cannot be read, has no such app, or says what cannot be done
 */
export async function ecosystemLaunch(path: string, { env, only, args }: EcosystemOptions): Promise<Launch> {
  const file = resolve(path)
  const name = basename(file)
  const { apps, notes } = await read(file, name)
  const app = withWords(chosen(apps, only, path, env), file)
  requireVariables(app)
  const launch: Launch = { settings: { WORKERS: '1' }, env: variablesOf(app, env), nodeOptions: [], notes: [...notes] }
  const fields = Object.entries(app).filter(([field]) => !(field === 'args' && isOfPackageManager(app)))
  reportingAll(fields, ([field, value]) => add(launch, translated(field, value), `${name}: ${field}`))
  if (env !== undefined && app[`env_${env}`] === undefined)
    add(launch, { note: 'the file has no such environment' }, `${name}: env_${env}`)
  if (args.length > 0) launch.settings['APP_ARGS'] = quoted(args)
  const { script, cwd } = placeOf(app, file, name)
  launch.settings['APP'] = script
  return { ...launch, cwd }
}

/** @throws {Failure} with the faults of all */
function reportingAll<T>(items: readonly T[], work: (item: T) => void): void {
  const faults: string[] = []
  for (const item of items) {
    try {
      work(item)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      faults.push(error.message)
    }
  }
  if (faults.length > 0) throw new Failure(exitCodes.config, faults.join('; '))
}

function add(
  launch: Launch,
  { settings, env, nodeOptions = [], note }: ReturnType<typeof translated>,
  what: string,
): void {
  Object.assign(launch.settings, settings)
  Object.assign(launch.env, env)
  launch.nodeOptions.push(...nodeOptions)
  if (note !== undefined) launch.notes.push(`${what} has no effect: ${note}`)
}

async function read(file: string, name: string): Promise<{ apps: App[]; notes: string[] }> {
  const content = await contentOf(file).catch((error: unknown) => {
    throw new Failure(exitCodes.config, `${name} cannot be read: ${reasonOf(error as Error)}`)
  })
  const { apps, pm2, deploy } = (content ?? {}) as Record<string, unknown>
  const all = [apps ?? pm2 ?? content].flat().filter(isApp)
  if (all.length === 0) throw new Failure(exitCodes.config, `${name} has no app with a script`)
  const note = `${name}: deploy has no effect: outpost start runs what is in this folder`
  return { apps: all, notes: deploy === undefined ? [] : [note] }
}

/** The stack of a syntax error begins with its place. */
function reasonOf({ name, message, stack = '' }: Error): string {
  const line = name === 'SyntaxError' ? /^\S.*:(\d+)\n/.exec(stack)?.[1] : undefined
  return line === undefined ? message : `${message} (line ${line})`
}

async function contentOf(file: string): Promise<unknown> {
  if (!existsSync(file)) throw new Error('no such file')
  if (/\.ya?ml$/.test(file)) throw new Error('YAML is not supported; JSON and JavaScript are')
  if (file.endsWith('.json')) return JSON.parse(readFileSync(file, 'utf8'))
  const module = (await import(pathToFileURL(file).href)) as { default?: unknown }
  const content = module.default ?? module
  return typeof content === 'function' ? (content as () => unknown)() : content
}

function isApp(value: unknown): value is App {
  if (typeof value !== 'object' || value === null) return false
  const { script, exec } = value as App
  return typeof (script ?? exec) === 'string'
}

function chosen(apps: readonly App[], only: string | undefined, path: string, env: string | undefined): App {
  const name = basename(path)
  const names = apps.map(nameOf).join(', ')
  const found = only === undefined ? apps : apps.filter(app => nameOf(app) === only)
  const [app] = found
  if (app === undefined) throw new Failure(exitCodes.usage, `${name} has no app ${String(only)}: it has ${names}`)
  if (found.length === 1) return app
  const commands = apps.map(each => {
    const word = nameOf(each)
    const environment = env === undefined ? [] : ['--env', env]
    const dataDir = `.outpost-${word.replaceAll('/', '-')}`
    return `outpost start ${shellWords([path, ...environment, '--only', word, '--data-dir', dataDir])}`
  })
  throw new Failure(
    exitCodes.usage,
    `${name} has ${apps.length} apps, and an instance runs one: start each by itself\n  ${commands.join('\n  ')}`,
  )
}

/** The words as a shell reads them, with quotes only where it needs them. */
function shellWords(words: readonly string[]): string {
  return words.map(word => (/^[\w./@:-]+$/.test(word) ? word : quoted([word]))).join(' ')
}

/** Without one of its own, an app has the name of its script, as in PM2. */
function nameOf({ name, script, exec }: App): string {
  if (typeof name === 'string') return name
  const file = basename(String(script ?? exec))
  return file.slice(0, file.length - extname(file).length)
}

function requireVariables(app: App): void {
  const fields = Object.keys(app).filter(field => field === 'env' || field.startsWith('env_'))
  reportingAll(fields, field => {
    const value = app[field]
    if (isPathOfVariables(field, value)) return
    if (value === undefined || value === null) return
    if (typeof value !== 'object' || Array.isArray(value))
      throw new Failure(exitCodes.config, `${field}: ${JSON.stringify(value)} must be an object with variables`)
  })
}

/** Those of `env`, then those of `env_<name>`. They count before the environment, as in PM2. */
function variablesOf(app: App, name: string | undefined): Record<string, string> {
  const all = {
    ...(app['env'] as object | undefined),
    ...(name === undefined ? {} : (app[`env_${name}`] as object | undefined)),
  }
  const texts = Object.entries(all).flatMap(([name, value]: [string, unknown]) => {
    return value === undefined || value === null
      ? []
      : [[name, typeof value === 'string' ? value : JSON.stringify(value)]]
  })
  return Object.fromEntries(texts) as Record<string, string>
}

/** PM2 runs a script with spaces as a command line, unless there is a file of that name here. */
function withWords(app: App, file: string): App {
  const script = String(app['script'] ?? app['exec'])
  const [first, ...others] = wordsOf(script) ?? []
  const isFile = foldersOf(app, file).some(folder => existsSync(resolve(folder, script)))
  if (isFile || first === undefined || others.length === 0) return app
  const args = argumentsOf(app)
  if (first !== 'node') return { ...app, script: first, args: [...others, ...args] }
  const [named = ''] = others
  return named.startsWith('-') ? app : { ...app, script: named, args: [...others.slice(1), ...args] }
}

function argumentsOf({ args }: App): unknown[] {
  return typeof args === 'string' ? (wordsOf(args) ?? [args]) : [args ?? []].flat()
}

/** The script `start` of package.json, as people run it by a package manager under PM2. */
function isOfPackageManager({ script, exec, args }: App): boolean {
  if (!/^(npm|yarn|pnpm)$/.test(String(script ?? exec))) return false
  return /^(run )?start$/.test([args].flat().join(' ').trim())
}

/** A script is found from `cwd`, as in PM2; else beside the file. */
function foldersOf({ cwd }: App, file: string): string[] {
  return typeof cwd === 'string' ? [resolve(cwd), resolve(dirname(file), cwd)] : [process.cwd(), dirname(file)]
}

function placeOf(app: App, file: string, name: string): { script: string; cwd: string } {
  const { script, exec } = app
  const wanted = String(script ?? exec)
  const folders = foldersOf(app, file)
  const packaged = isOfPackageManager(app) && folders.find(folder => existsSync(resolve(folder, 'package.json')))
  if (packaged) return { script: packaged, cwd: packaged }
  const folder = folders.find(folder => existsSync(resolve(folder, wanted)))
  if (folder !== undefined) return { script: resolve(folder, wanted), cwd: folder }
  const hint = /^[a-z]+$/.test(wanted) ? ': name the file that it runs, or a package.json with a start script' : ''
  throw new Failure(
    exitCodes.config,
    `${name}: script ${wanted} is not in ${[...new Set(folders)].join(' or ')}${hint}`,
  )
}
