import type { Colour, Paint } from './paint.js'

interface LogRecord {
  level: string
  time: string
  process: string
  msg?: string
  err?: { message?: string; stack?: string }
  lastLines?: unknown[]
  [field: string]: unknown
}

const COLOURS: Readonly<Record<string, Colour>> = { warn: 'yellow', error: 'red', fatal: 'red' }

/** Fields that repeat the rest of the line, or that only programs need. */
const LEFT_OUT = new Set(['level', 'time', 'process', 'pid', 'msg', 'err', 'lastLines'])

/** A line of the log as people read it. Lines of the app stay as they are. */
export function readable(line: string, paint: Paint): string {
  const record = recordOf(line)
  if (record === undefined) return line.replace(/^\[\w+ \d+\]/, tag => paint('cyan', tag))
  const { level, time, process, msg = '' } = record
  const at = new Date(time).toLocaleString('sv-SE')
  const colour = COLOURS[level]
  const said = `${level.padEnd(5)} ${msg}`
  const head = `${paint('dim', at)} ${paint('cyan', process)} ${colour === undefined ? said : paint(colour, said)}`
  return [[head, ...facts(record).map(fact => paint('dim', fact))].join(' '), ...printed(record)].join('\n')
}

function recordOf(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { level, time, process, ...others } = JSON.parse(line) as Record<string, unknown>
    const isOurs = [level, time, process].every(each => typeof each === 'string')
    return isOurs ? ({ level, time, process, ...others } as LogRecord) : undefined
  } catch {
    return undefined
  }
}

function facts(record: LogRecord): string[] {
  return Object.entries(record).flatMap(([name, value]) => {
    if (LEFT_OUT.has(name)) return []
    // The message ends with it already.
    if (typeof value === 'string' && record.msg?.endsWith(value) === true) return []
    return [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`]
  })
}

function printed({ err, lastLines = [] }: LogRecord): string[] {
  const error = (err?.stack ?? err?.message)?.split('\n') ?? []
  return [...error, ...lastLines.map(String)].map(line => `    ${line}`)
}
