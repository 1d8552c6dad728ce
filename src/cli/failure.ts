import { NotRunningError } from '../control/call.js'
import { ControlError, type DeployReport } from '../control/protocol.js'
import { exitCodes, type ExitCode } from '../process/exit.js'

/** The exit codes of a command, as `--help` and docs/cli.md list them. */
export const exitMeanings: ReadonlyArray<readonly [code: ExitCode, meaning: string]> = [
  [exitCodes.ok, 'done'],
  [exitCodes.failure, 'the command failed; what ran before still runs'],
  [exitCodes.usage, 'the command line is not understood'],
  [exitCodes.notRunning, 'no Outpost runs where the command looks for it'],
  [exitCodes.config, 'the environment, the app or the machine is unusable'],
  [exitCodes.notExecutable, 'outpost run: the command exists but cannot be run'],
  [exitCodes.notFound, 'outpost run: there is no such command'],
]

/** A command that failed, with the text for the person. */
export class Failure extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** The last output of the process that failed, if one did. */
    readonly lastLines: readonly string[] = [],
    /** A code of the control API, or of this table. */
    readonly code: string = FAILURE_CODES[exitCode],
    /** The figures of both releases, if a release was tried. */
    readonly report?: DeployReport,
  ) {
    super(message)
    this.name = 'Failure'
  }

  /** @param error anything that a command has thrown */
  static of(error: unknown): Failure {
    if (error instanceof Failure) return error
    if (error instanceof NotRunningError) return new Failure(exitCodes.notRunning, error.message)
    if (error instanceof ControlError) {
      return new Failure(exitCodes.failure, error.message, error.lastLines, error.code, error.report)
    }
    return new Failure(exitCodes.failure, error instanceof Error ? error.message : String(error))
  }

  /** As `--json` prints it. */
  toJSON(): object {
    const { code, message, lastLines, report } = this
    return { error: { code, message, ...(lastLines.length === 0 ? {} : { lastLines }), ...(report && { report }) } }
  }
}

const FAILURE_CODES: Record<ExitCode, string> = {
  [exitCodes.ok]: 'OK',
  [exitCodes.failure]: 'COMMAND_FAILED',
  [exitCodes.usage]: 'USAGE',
  [exitCodes.notRunning]: 'NOT_RUNNING',
  [exitCodes.config]: 'UNUSABLE',
  [exitCodes.notExecutable]: 'NOT_EXECUTABLE',
  [exitCodes.notFound]: 'NOT_FOUND',
}
