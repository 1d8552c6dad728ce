import type { Command } from 'commander'
import type { ProcessStatus, Status } from '../control/protocol.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { runningInstances } from './find-instance.js'
import { plain, type Colour, type Paint } from './paint.js'
import { table, type Column } from './table.js'
import { count, duration, mebibytes, percent, rate } from './units.js'

interface StatusOptions extends InstanceOptions {
  all?: true
}

export function addStatus(program: Command, context: Context): void {
  instanceCommand(program, 'status', 'shows the instance and its processes')
    .alias('ls')
    .option('-a, --all', 'all running instances of this user; with --json an array')
    .action(async (options: StatusOptions) => {
      const { output } = context
      if (options.all === true) {
        const running = await runningInstances()
        const all = await Promise.all(running.flatMap(each => ('client' in each ? [each.client.status()] : [])))
        for (const each of running) if ('silence' in each) output.note(each.silence.message)
        if (options.json === true) return output.json(all)
        if (running.length === 0) return output.note('no Outpost of this user runs')
        return output.print(
          ...all.flatMap((status, i) => [...(i === 0 ? [] : ['']), ...statusLines(status, output.paint)]),
        )
      }
      const status = await (await instanceOf(options, context)).client.status()
      if (options.json === true) output.json(status)
      else output.print(...statusLines(status, output.paint))
    })
}

const COLUMNS: readonly Column[] = [
  { title: 'PROCESS' },
  { title: 'PID', right: true },
  { title: 'RELEASE' },
  { title: 'STATE' },
  { title: 'UP', right: true },
  { title: 'RESTARTS', right: true },
  { title: 'CPU', right: true },
  { title: 'MEMORY', right: true },
  { title: 'LOOP', right: true },
  { title: 'IN FLIGHT', right: true },
  { title: 'REQ/S', right: true },
]

/** The status as people read it. */
export function statusLines(status: Status, paint: Paint = plain): string[] {
  const { version, state, pid, ageMs, app, dataDir } = status
  const facts = [
    ['app', app ?? 'built-in'],
    ['data', dataDir],
    ...releaseFacts(status),
    ...edgeFacts(status),
    ['workers', workersOf(status)],
    ...besideFacts(status),
  ]
  return [
    `${paint('bold', `Outpost ${version}`)} is ${paint(stateColour(state), state)} ${urlOf(status)} (pid ${pid}, up ${duration(ageMs)})`,
    ...facts.map(([name = '', value = '']) => `  ${name.padEnd(8)} ${value}`),
    '',
    ...table(
      COLUMNS,
      status.processes.map(each => rowOf(each, paint)),
    ),
    ...cronLines(status, paint),
  ]
}

/** Nothing as long as nothing was deployed. */
function releaseFacts({ release, deploying, preview }: Status): string[][] {
  const trial =
    deploying === undefined
      ? ''
      : `; ${deploying.release} is ${deploying.phase}, for ${percent(deploying.share)} of the clients`
  const looked =
    preview === undefined ? '' : `; ${preview.release} is ${preview.ready ? 'in preview' : 'started for a preview'}`
  const text = (release ?? 'start') + trial + looked
  return text === 'start' ? [] : [['release', text]]
}

/** Empty while requests are served as usual. */
function edgeFacts({ paused, maintenance }: Status): string[][] {
  const closed = maintenance === undefined ? [] : [['closed', closedFor(maintenance)]]
  if (paused === undefined) return closed
  const [since, until] = [Date.now() - Date.parse(paused.since), Date.parse(paused.until) - Date.now()]
  return [
    ...closed,
    ['paused', `requests have waited for ${duration(since)}, and go on in ${duration(until)} at the latest`],
  ]
}

function closedFor({ since, allow }: NonNullable<Status['maintenance']>): string {
  const others = allow.length === 0 ? '' : `, but for ${allow.join(', ')}`
  return `maintenance for ${duration(Date.now() - Date.parse(since))} so far: clients get 503 and a page${others}`
}

const CRON_COLUMNS: readonly Column[] = [
  { title: 'CRON' },
  { title: 'SCHEDULE' },
  { title: 'NEXT' },
  { title: 'LAST' },
  { title: 'TOOK', right: true },
  { title: 'RESULT' },
]

/** The jobs of cron, if there are any. */
function cronLines({ cron = [] }: Status, paint: Paint): string[] {
  if (cron.length === 0) return []
  const rows = cron.map(({ name, schedule, timeZone, next, running, runs: [last] }) => {
    const isFine = last === undefined || last.result === 'exit code 0'
    const result = last === undefined ? '-' : paint(isFine ? 'green' : 'red', last.result)
    const due = running === undefined ? toTheSecond(next) : paint('yellow', 'runs now')
    const zone = timeZone === 'UTC' ? '' : ` ${timeZone}`
    return [name, schedule + zone, due, toTheSecond(last?.at), last === undefined ? '-' : duration(last.ms), result]
  })
  return ['', ...table(CRON_COLUMNS, rows)]
}

function toTheSecond(time: string | undefined): string {
  return time === undefined ? '-' : time.replace(/\.\d+Z$/, 'Z')
}

/** The processes of the Procfile. */
function besideFacts({ wanted, processes }: Status): string[][] {
  const counts = Object.entries(wanted.processes ?? {}).map(([name, count]) => {
    const isOfName = ({ role, id, state }: ProcessStatus): boolean =>
      role === 'process' && state === 'ready' && id.startsWith(`${name}.`)
    return `${name} ${processes.filter(isOfName).length} of ${count}`
  })
  return counts.length === 0 ? [] : [['beside', counts.join(', ')]]
}

/** The address of the public port, as a browser takes it. */
export function urlOf({ host, port }: Pick<Status, 'host' | 'port'>): string {
  const name = ['::', '0.0.0.0'].includes(host) ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/** How many workers of the live release are ready. Others may run beside them, for a trial or a way back. */
export function readyWorkersOf({ release, processes }: Status): number {
  const isLive = (process: ProcessStatus): boolean => release === undefined || process.release === release
  return processes.filter(process => process.role === 'worker' && process.state === 'ready' && isLive(process)).length
}

function workersOf(status: Status): string {
  const { wanted, sleep } = status
  const ready = readyWorkersOf(status)
  const mode = wanted.balancers === 0 ? 'mesh mode' : count(wanted.balancers, 'balancer')
  const held = sleep?.heldBy === undefined ? '' : ` (${sleep.heldBy})`
  return sleep?.asleep === true
    ? `asleep until a request comes, ${mode}`
    : `${ready} of ${wanted.workers} ready${held}, ${mode}`
}

function rowOf(process: ProcessStatus, paint: Paint): string[] {
  const { role, id, pid, release, generation, state, ageMs, restarts, rssBytes } = process
  const { cpuUse, loopUse, inFlight, requestsPerSecond } = process
  // The work of a Procfile process is not known.
  const load = role === 'process' ? ['-', '-', '-'] : [percent(loopUse), String(inFlight), rate(requestsPerSecond)]
  // Nothing is measured before the first heartbeat.
  const measured = rssBytes === 0 ? COLUMNS.slice(6).map(() => '-') : [percent(cpuUse), mebibytes(rssBytes), ...load]
  return [
    role === 'process' ? id : `${role} ${id}`,
    String(pid ?? '-'),
    role === 'balancer' ? '-' : `${release}/${generation}`,
    paint(stateColour(state), state),
    duration(ageMs),
    restarts === 0 ? '0' : paint('yellow', String(restarts)),
    ...measured,
  ]
}

function stateColour(state: ProcessStatus['state'] | Status['state']): Colour {
  if (state === 'ready' || state === 'serving') return 'green'
  return state === 'crashed' || state === 'exited' ? 'red' : 'yellow'
}
