import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { constants } from 'node:os'
import type { Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceOf, type Context } from './context.js'
import { Failure } from './failure.js'

export function addRun(program: Command, context: Context): void {
  program
    .command('run')
    .description('runs a command in the folder and the environment of the live release')
    .usage('[options] -- <command>')
    .option('--data-dir <folder>', 'the instance, by its DATA_DIR')
    .addHelpText('after', '\nIt ends with the exit code of the command.')
    .action(async (options: { dataDir?: string }) => {
      const [command, ...args] = context.appArgs
      if (command === undefined)
        throw new Failure(exitCodes.usage, 'the command comes behind --: outpost run -- npm run x')
      const { client, dataDir } = await instanceOf(options, context)
      const { cwd, env } = await client.runPlace()
      // Root runs it as the user of the instance, whose files it may write.
      const { uid, gid } = statSync(dataDir)
      const user = process.getuid?.() === 0 ? { uid, gid } : {}
      const child = spawn(command, args, { cwd, env: { ...env, PWD: cwd }, stdio: 'inherit', ...user })
      // A signal that a terminal sends to all is for the command.
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void child.kill(signal))
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
      context.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
    })
}
