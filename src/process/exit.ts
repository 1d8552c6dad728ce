/** Exit codes, after sysexits(3) where it has one. */
export const exitCodes = {
  ok: 0,
  /** A second signal cut the shutdown short, or something broke that should not. */
  failure: 1,
  /** A value in the environment, or the machine it runs on, cannot be used (EX_CONFIG). */
  config: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The only place where a process of Outpost ends itself. */
export function exit(code: ExitCode): never {
  process.exit(code)
}
