import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { pathOfRoot } from '../process/path-of-root.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'

export function addRun(program: Command, context: Context): void {
  instanceCommand(program, 'run', 'runs a command in the folder and the environment of the live release')
    .usage('[options] -- <command>')
    .addHelpText('after', '\nIt ends with the exit code of the command.')
    .action(async (options: InstanceOptions) => {
      const [command, ...args] = context.appArgs
      if (command === undefined)
        throw new Failure(exitCodes.usage, 'the command comes after --: outpost run -- npm run x')
      const { client, dataDir } = await instanceOf(options, context)
      const user = process.getuid?.() === 0 ? userOf(dataDir) : {}
      const { cwd, env } = await client.runPlace()
      // With --json, standard output is for the document alone.
      const stdout = options.json === true ? 2 : 'inherit'
      const stdio = ['inherit', stdout, 'inherit'] as const
      const child = spawn(command, args, { cwd, env: { ...env, PWD: cwd }, stdio: [...stdio], ...user })
      // A signal that a terminal sends to all is for the command.
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void child.kill(signal))
      const [code, signal] = (await once(child, 'close').catch((error: unknown) => {
        throw notRun(command, cwd, error as NodeJS.ErrnoException)
      })) as [number | null, NodeJS.Signals | null]
      context.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      if (options.json === true) context.output.json({ exitCode: context.exitCode })
    })
}

/** As a shell tells it. Node blames the command, too, if it is the folder that is missing. */
function notRun(command: string, cwd: string, { code = '' }: NodeJS.ErrnoException): Failure {
  if (!existsSync(cwd)) return new Failure(exitCodes.failure, `the folder of the release is missing: ${cwd}`)
  if (code === 'ENOENT') return new Failure(exitCodes.notFound, `${command}: command not found`)
  return new Failure(exitCodes.notExecutable, `${command}: cannot be run: ${code}`)
}

const REMEDY = 'start the program with RUN_AS, or with DATA_DIR in a folder that root alone may write to'

/**
 * Root runs the command as the user of the instance, and as root only for an instance of root's. The environment comes
 * from the socket, and a user could lead root to a folder of root's with a socket of the user's in it.
 */
function userOf(dataDir: string): { uid: number; gid: number } {
  const socket = join(dataDir, 'run', 'control.sock')
  const { uid, gid } = statSync(dataDir)
  if (uid !== 0) return { uid, gid }
  try {
    if (statSync(pathOfRoot(socket)).uid === 0) return { uid, gid }
  } catch (error) {
    throw new Failure(
      exitCodes.usage,
      `${dataDir} is root's, and ${(error as Error).message}: nothing was run; ${REMEDY}`,
    )
  }
  throw new Failure(exitCodes.usage, `${dataDir} is root's, and ${socket} is not: nothing was run; ${REMEDY}`)
}
