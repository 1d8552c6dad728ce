import { pino, type Logger, type LoggerOptions } from 'pino'

export type { Logger } from 'pino'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

/**
 * JSON lines, each naming the process it comes from, e.g. `"process":"worker 3"`.
 * @param output takes each line; standard output when undefined
 */
export function createLog(processName: string, level: LogLevel, output?: { write(line: string): void }): Logger {
  const options: LoggerOptions = {
    level,
    base: { process: processName, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    redact: ['req.headers.authorization', 'req.headers.cookie', 'password', 'token'],
  }
  return output === undefined ? pino(options) : pino(options, output)
}
