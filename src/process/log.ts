import { pino, type Logger } from 'pino'

export type { Logger } from 'pino'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]

/** JSON lines on standard output, each naming the process it comes from, e.g. `"process":"worker 3"`. */
export function createLog(processName: string, level: LogLevel): Logger {
  return pino({
    level,
    base: { process: processName, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    redact: ['req.headers.authorization', 'req.headers.cookie', 'password', 'token'],
  })
}
