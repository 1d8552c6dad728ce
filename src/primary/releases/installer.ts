import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readLines } from '../processes/lines.js'
import { killMarked, markedBy } from '../processes/marked.js'
import { killGroup } from '../processes/spawn.js'
import { lockfileOf, lockfiles } from '../../config/lockfiles.js'
import { commandIn } from '../../config/procfile.js'
import { programPath } from '../../config/program-path.js'
import { OutputEnds } from './output-ends.js'
import { stepsOf, type Step } from './package-commands.js'

/** A command of the installation failed, or took too long. */
export class InstallError extends Error {
  constructor(
    message: string,
    /** The output of the command, without its middle if it is long. */
    readonly lastLines: readonly string[],
  ) {
    super(message)
  }
}

export interface InstallOptions {
  /** The environment of the commands: the app's own. */
  env: NodeJS.ProcessEnv
  /** All commands together may take this long, in milliseconds. */
  timeoutMs: number
  /** An open file that marks the processes of this instance, so that the next start ends what a crash leaves. */
  lifelineFd: number
  /** A command begins. */
  onStep: (command: string) => void
  /** A command has printed a line. */
  onLine: (line: string) => void
  /** Ends the installation. The message of its reason is told to the person who deploys. */
  signal: AbortSignal
}

/** A process that a command has left running may keep its output open for ever. */
const LAST_OUTPUT_MS = 1_000

/**
 * Installs the packages of an app that brings a lockfile and no packages, builds it where it says how, and runs the
 * step that its Procfile wants before a release.
 * @throws {InstallError}
 */
export async function install(folder: string, options: InstallOptions): Promise<void> {
  const deadline = performance.now() + options.timeoutMs
  for (const { command, env, faultIn } of stepsFor(folder, options.env)) {
    options.onStep(command)
    const lines = await run(command, folder, deadline, { ...options, env: { ...options.env, ...env } })
    const fault = faultIn?.(lines)
    if (fault !== undefined) throw new InstallError(fault, [])
  }
}

/**
 * The commands that a release needs, in their order.
 * @param env has the PATH in which package managers are looked for
 * @throws {InstallError} the one that is needed is not there
 */
export function stepsFor(folder: string, env: NodeJS.ProcessEnv): Step[] {
  const release = commandIn(folder, 'release')
  return [...packageSteps(folder, env), ...(release === undefined ? [] : [{ command: release }])]
}

function packageSteps(folder: string, env: NodeJS.ProcessEnv): Step[] {
  const lockfile = fs.existsSync(join(folder, 'node_modules')) ? undefined : lockfileOf(folder)
  if (lockfile === undefined) return []
  const name = lockfiles[lockfile]
  const { hasBuild, needsPackages } = manifestOf(folder)
  if (name !== 'npm') {
    if (!needsPackages && !hasBuild) return []
    if (programPath(name, env) === undefined) throw new InstallError(missing(name, lockfile), [])
  }
  return stepsOf(name, join(folder, lockfile), hasBuild)
}

function missing(name: string, lockfile: string): string {
  return (
    `the packages are locked by ${lockfile}, and there is no command ${name} in the PATH of the instance: install ${name}, ` +
    'or deploy the folder with its node_modules (an .outpostignore that does not name them counts in place of .gitignore), ' +
    'or with a package-lock.json'
  )
}

function manifestOf(folder: string): { hasBuild: boolean; needsPackages: boolean } {
  try {
    const { scripts, dependencies, optionalDependencies, workspaces } = JSON.parse(
      fs.readFileSync(join(folder, 'package.json'), 'utf8'),
    ) as { scripts?: { build?: unknown }; dependencies?: object; optionalDependencies?: object; workspaces?: unknown }
    const needed = { ...dependencies, ...optionalDependencies }
    const hasWorkspaces = workspaces !== undefined || fs.existsSync(join(folder, 'pnpm-workspace.yaml'))
    return {
      hasBuild: typeof scripts?.build === 'string',
      needsPackages: hasWorkspaces || Object.keys(needed).length > 0,
    }
  } catch {
    return { hasBuild: false, needsPackages: true }
  }
}

/** @returns what the command has printed, without its middle if that is long */
async function run(
  command: string,
  cwd: string,
  deadline: number,
  options: InstallOptions,
): Promise<readonly string[]> {
  const { env, lifelineFd, onLine, signal } = options
  const output = new OutputEnds()
  const note = (line: string): void => {
    output.note(line)
    onLine(line)
  }
  signal.throwIfAborted()
  const mark = randomUUID()
  // If the command fails, all that it has started ends with it: its group, and processes that have left the group.
  const child = spawn('sh', ['-c', command], {
    cwd,
    env: { ...env, PWD: cwd, ...markedBy(mark) },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', lifelineFd],
  })
  const outputs = [child.stdout, child.stderr].flatMap(stream => stream ?? [])
  for (const stream of outputs) readLines(stream, note)
  const printed = Promise.all(outputs.map(stream => new Promise(resolve => stream.once('close', resolve))))
  let cut: string | undefined
  const end = (why: string): void => {
    cut ??= why
    killGroup(child)
  }
  const timer = setTimeout(() => end('took too long'), Math.max(0, deadline - performance.now()))
  const abort = (): void => end(`was ended: ${(signal.reason as Error).message.replace(/\.$/, '')}`)
  signal.addEventListener('abort', abort)
  try {
    const [code, by] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    if (cut !== undefined || code !== 0) {
      killGroup(child)
      killMarked(mark)
    }
    await Promise.race([printed, sleep(LAST_OUTPUT_MS, undefined, { ref: false })])
    for (const stream of outputs) stream.destroy()
    if (cut !== undefined) throw new InstallError(`${command} ${cut}`, output.lines)
    if (code !== 0) throw new InstallError(`${command} failed (${by ?? `exit code ${String(code)}`})`, output.lines)
    return output.lines
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
