/** Signals by which a process ends because of what it does. */
const faultSignals: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'])

/** Whether a process that ended by this signal did so because of what it does. */
export function isFault(signal: NodeJS.Signals | undefined): boolean {
  return signal !== undefined && faultSignals.has(signal)
}
