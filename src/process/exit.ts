/** Exit codes, after sysexits(3) where it has one. */
export const exitCodes = {
  ok: 0,
  /** A second signal cut the shutdown short, an unexpected error occurred, or a command failed. */
  failure: 1,
  /** A command line that is not understood (EX_USAGE). */
  usage: 64,
  /** No instance runs where the command looks for it (EX_UNAVAILABLE). */
  notRunning: 69,
  /** The command given to outpost run exists but cannot be run, as in a shell. */
  notExecutable: 126,
  /** The command given to outpost run does not exist, as in a shell. */
  notFound: 127,
  /** A value in the environment is invalid, or the machine is unusable (EX_CONFIG). */
  config: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The only place where a process of Outpost ends itself. */
export function exit(code: ExitCode): never {
  process.exit(code)
}

/** Ends this process as another one has ended, which it stood for. */
export function exitLike(code: number): never {
  process.exit(code)
}
