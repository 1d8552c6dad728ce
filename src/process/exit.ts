/** Exit codes, after sysexits(3) where it has one. */
export const exitCodes = {
  ok: 0,
  /** A second signal cut the shutdown short, or an unexpected error occurred. */
  failure: 1,
  /** A value in the environment is invalid, or the machine is unusable (EX_CONFIG). */
  config: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The only place where a process of Outpost ends itself. */
export function exit(code: ExitCode): never {
  process.exit(code)
}
