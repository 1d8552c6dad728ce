/**
 * The load. At full speed: wrk where it is installed, else this bench's own generator. At a fixed rate, and wherever
 * requests have bodies: always its own, in a process of its own.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import { cpuMicros, familyOf } from '#scripts/lib/proc.js'
import { benchFolder, script } from './paths.js'
import { asLastResort, findProgram } from './processes.js'

const figures = z.object({
  /** Answered with 2xx. */
  requests: z.number(),
  failed: z.number(),
  /** How often each reason for a failure was seen. */
  reasons: z.record(z.string(), z.number()),
  seconds: z.number(),
  perSecond: z.number(),
  p50: z.number(),
  p90: z.number(),
  p99: z.number(),
  max: z.number(),
})

/** Latencies in milliseconds. */
export type Figures = z.infer<typeof figures>

const wrkFigures = figures.omit({ reasons: true, perSecond: true })

export interface LoadPlan {
  origin: string
  path: string
  method?: string
  headers?: Record<string, string>
  body?: string
  /** A body of this many bytes, in place of `body`. */
  bodyBytes?: number
  connections: number
  seconds: number
  /** Requests a second, on a schedule. Without one, each connection sends as soon as it has its answer. */
  rate?: number
}

export const closedLoopTool = (): string => (findProgram('wrk') === undefined ? "the bench's own generator" : 'wrk')

type FullSpeed = Omit<LoadPlan, 'method' | 'body' | 'rate'>

/** Full speed: each connection sends its next request as soon as it has the answer to the last. */
export async function loadAtFullSpeed(plan: FullSpeed): Promise<Figures> {
  const { origin, path, headers = {}, connections, seconds } = plan
  const wrk = findProgram('wrk')
  // wrk counts in whole seconds.
  if (wrk === undefined || !Number.isInteger(seconds)) return generate(plan)
  const size = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '10s']
  const report = ['-s', fileURLToPath(new URL('lib/wrk-report.lua', benchFolder))]
  const extra = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const output = await execute(wrk, [...size, ...report, ...extra, `${origin}${path}`], seconds)
  const found = wrkFigures.parse(JSON.parse(output.slice(output.lastIndexOf('\n{') + 1)))
  const good = found.requests - found.failed
  return {
    requests: good,
    failed: found.failed,
    reasons: {},
    seconds: found.seconds,
    perSecond: good / found.seconds,
    p50: found.p50 / 1e3,
    p90: found.p90 / 1e3,
    p99: found.p99 / 1e3,
    max: found.max / 1e3,
  }
}

/** With the processor time of a request, in microseconds: of these processes and all that descend from them. */
export type CostFigures = Figures & { cpuPerRequest: number }

/** Full speed, as above. */
export async function costAtFullSpeed(plan: FullSpeed, elders: readonly number[]): Promise<CostFigures> {
  const family = familyOf(elders)
  const before = cpuMicros(family)
  const figures = await loadAtFullSpeed(plan)
  return { ...figures, cpuPerRequest: (cpuMicros(family) - before) / figures.requests }
}

/**
 * Requests leave on a schedule, whether or not earlier ones have been answered, and each latency counts from the time
 * the request was due: a server that stalls is charged for every client that would have waited ("coordinated omission").
 * Without `rate` the loop is closed, as above.
 */
export async function generate(plan: LoadPlan): Promise<Figures> {
  const args = [script('lib/generator.js'), JSON.stringify(plan)]
  return figures.parse(JSON.parse(await execute(process.execPath, args, plan.seconds)))
}

function execute(command: string, args: readonly string[], seconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: (seconds + 30) * 1_000, killSignal: 'SIGKILL' } as const
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      forget()
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stderr}`))
    })
    const forget = asLastResort(() => child.kill('SIGKILL'))
  })
}
