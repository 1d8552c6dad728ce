import { Command, CommanderError } from 'commander'
import { exitCodes, type ExitCode } from '../process/exit.js'
import { programVersion } from '../process/version.js'
import { addActivate } from './activate.js'
import { addCompletion } from './completion.js'
import type { Context } from './context.js'
import { addDeploy } from './deploy.js'
import { reportLines } from './deploy-progress.js'
import { addEnv } from './env.js'
import { exitMeanings, Failure } from './failure.js'
import { readable } from './log-line.js'
import { addLogs } from './logs.js'
import { counterpartOf } from './other-words.js'
import type { Output } from './output.js'
import { addMonit } from './monit.js'
import { addPause } from './pause.js'
import { addMaintenance } from './maintenance.js'
import { addReleases } from './releases.js'
import { addReload } from './reload.js'
import { addResume } from './resume.js'
import { addRollback } from './rollback.js'
import { addRun } from './run.js'
import { addScale } from './scale.js'
import { addService } from './service.js'
import { addStart } from './start.js'
import { addStatus } from './status.js'
import { addStop } from './stop.js'
import { addToken } from './token.js'
import { addUpgrade } from './upgrade.js'

const COMMANDS = [
  addStart,
  addStatus,
  addLogs,
  addMonit,
  addReload,
  addScale,
  addDeploy,
  addReleases,
  addActivate,
  addRollback,
  addEnv,
  addRun,
  addPause,
  addResume,
  addMaintenance,
  addUpgrade,
  addStop,
  addToken,
  addService,
  addCompletion,
]

/** All commands, in the order of `--help`. */
export function programOf(context: Context): Command {
  const program = new Command('outpost')
    .description('Runs an Express app on every core, and replaces its code without losing a request.')
    .version(programVersion, '-V, --version', 'prints the version')
    .helpOption('-h, --help', 'prints this help')
    .helpCommand('help [command]', 'prints the help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText('after', `\n${exitCodesText()}`)
  for (const add of COMMANDS) add(program, context)
  for (const command of program.commands) command.helpOption('-h, --help', 'prints this help').exitOverride()
  return program
}

/**
 * Runs a command.
 * @param words of the command line, behind `outpost`
 * @returns the exit code
 */
export async function run(
  words: readonly string[],
  paths: Pick<Context, 'program' | 'command'>,
  output: Output,
): Promise<number> {
  const { own, appArgs } = split(words)
  const context: Context = { ...paths, output, appArgs: appArgs ?? [] }
  const program = programOf(context)
  for (const each of [program, ...program.commands]) {
    each.configureOutput({
      writeErr: text => output.error(text.replace(/^error: /, '').trimEnd()),
      writeOut: text => output.stdout.write(text),
    })
  }
  try {
    refuseOtherWords(own, appArgs)
    if (own.length === 0) program.outputHelp()
    else await program.parseAsync(own, { from: 'user' })
    return context.exitCode ?? exitCodes.ok
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok
      // The reason is on standard error already.
      if (own.includes('--json')) output.json(new Failure(exitCodes.usage, error.message.replace(/^error: /, '')))
      return exitCodes.usage
    }
    return report(Failure.of(error), own.includes('--json'), output)
  }
}

/** The words behind the first `--` are for the app. */
function split(words: readonly string[]): { own: string[]; appArgs: string[] | undefined } {
  const at = words.indexOf('--')
  return at === -1 ? { own: [...words], appArgs: undefined } : { own: words.slice(0, at), appArgs: words.slice(at + 1) }
}

const TAKES_APP = new Set(['start', 'service', 'run'])

function refuseOtherWords([word = '']: readonly string[], appArgs: readonly string[] | undefined): void {
  const counterpart = counterpartOf(word)
  if (counterpart !== undefined) throw new Failure(exitCodes.usage, `unknown command '${word}': ${counterpart}`)
  if (appArgs !== undefined && !TAKES_APP.has(word)) {
    throw new Failure(exitCodes.usage, 'only outpost start, service and run take words after --')
  }
}

function report(failure: Failure, json: boolean, output: Output): ExitCode {
  if (json) output.json(failure)
  else {
    output.error(failure.message)
    const printed = failure.lastLines.flatMap(line => readable(line, output.paintNotes).split('\n'))
    if (failure.report !== undefined) for (const line of reportLines(failure.report)) output.stderr.write(`  ${line}\n`)
    for (const line of printed) output.stderr.write(`  ${line}\n`)
  }
  return failure.exitCode
}

function exitCodesText(): string {
  return ['Exit codes:', ...exitMeanings.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`)].join('\n')
}
