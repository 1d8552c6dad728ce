/**
 * The load. As fast as it goes: wrk where it is installed, else this bench's own generator. At a fixed rate, and
 * wherever requests have bodies: always its own, in a process of its own.
 *
 * @typedef {object} Figures latencies in milliseconds
 * @property {number} requests answered with 2xx
 * @property {number} failed anything else
 * @property {number} seconds
 * @property {number} perSecond
 * @property {number} p50
 * @property {number} p90
 * @property {number} p99
 * @property {number} max
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { asLastResort, findProgram } from './processes.js'

const generator = fileURLToPath(new URL('./generator.js', import.meta.url))
const wrkReport = fileURLToPath(new URL('./wrk-report.lua', import.meta.url))

export const closedLoopTool = () => (findProgram('wrk') === undefined ? "the bench's own generator" : 'wrk')

/** Each connection sends its next request when it has the answer to the last: how much goes through at the most? */
export async function loadAtFullSpeed({ origin, path, headers = {}, connections, seconds }) {
  const wrk = findProgram('wrk')
  // wrk counts in whole seconds.
  if (wrk === undefined || !Number.isInteger(seconds)) return generate({ origin, path, headers, connections, seconds })
  const extra = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const plan = [
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    wrkReport,
    ...extra,
  ]
  const output = await execute(wrk, [...plan, `${origin}${path}`], seconds)
  const found = JSON.parse(output.slice(output.lastIndexOf('\n{') + 1))
  const good = found.requests - found.failed
  return {
    requests: good,
    failed: found.failed,
    seconds: found.seconds,
    perSecond: good / found.seconds,
    p50: found.p50 / 1e3,
    p90: found.p90 / 1e3,
    p99: found.p99 / 1e3,
    max: found.max / 1e3,
  }
}

/**
 * Requests leave on a schedule, whether or not earlier ones have been answered, and each latency counts from the time
 * the request was due: a server that stalls is charged for everybody who would have waited ("coordinated omission").
 * Without `rate` the loop is closed, as above.
 */
export async function generate(plan) {
  return JSON.parse(await execute(process.execPath, [generator, JSON.stringify(plan)], plan.seconds))
}

function execute(command, arguments_, seconds) {
  return new Promise((resolve, reject) => {
    const options = { timeout: (seconds + 30) * 1_000, killSignal: 'SIGKILL' }
    const child = execFile(command, arguments_, options, (error, stdout, stderr) => {
      forget()
      if (error === null) resolve(stdout)
      else reject(new Error(`${error.message}\n${stderr}`))
    })
    const forget = asLastResort(() => child.kill('SIGKILL'))
  })
}
