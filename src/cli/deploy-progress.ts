import type { Deployed, DeployProgress, DeployReport } from '../control/protocol.js'
import type { Context, InstanceOptions } from './context.js'
import { goingOn } from './going-on.js'
import { table } from './table.js'
import { count, mebibytes, percent } from './units.js'

/** A step of a deploy as people read it. */
function stepOf(event: DeployProgress): string {
  switch (event.event) {
    case 'received':
      return (
        `${event.release} is received: ${count(event.files, 'file')}, ${Math.ceil(event.bytes / 1024)} KiB` +
        (event.leftOut === undefined ? '' : `, without ${event.leftOut}/, which has the name of DATA_DIR`)
      )
    case 'installing':
      return event.command
    case 'baking':
      return `${percent(event.share)} of the clients get ${event.release} for ${event.seconds} s`
    case 'previewing':
      return `a worker of ${event.release} is started`
    case 'filling':
      return `all workers of ${event.release} are started`
    case 'withdrawing':
      return `${event.release} is taken back`
  }
}

const COLUMNS = [
  { title: '' },
  { title: 'REQUESTS', right: true },
  { title: 'FAILED', right: true },
  { title: 'BROKEN', right: true },
  { title: 'P99', right: true },
  { title: 'GROWTH', right: true },
]

/** The figures of both releases in the same seconds. */
export function reportLines({ before, fresh, remark }: DeployReport): string[] {
  const rowOf = (name: string, side: DeployReport['before']): string[] => [
    name,
    ...[side.requests, side.failed, side.broken].map(String),
    side.p99Ms === undefined ? '-' : `${side.p99Ms} ms`,
    mebibytes(side.growthBytes),
  ]
  const lines = table(COLUMNS, [rowOf('before', before), rowOf('new', fresh)])
  return remark === undefined ? lines : [...lines, remark]
}

function changedNote(release: string, { count: all, files }: NonNullable<Deployed['changed']>): string {
  const others = all > files.length ? ` and ${count(all - files.length, 'other')}` : ''
  return `${release} does not run as it was deployed: its app, or somebody else, has changed ${files.join(', ')}${others}`
}

function unrecordedNote(release: string, reason: string): string {
  return (
    `${release} serves, but could not be recorded (${reason}). Make room on the disk: Outpost tries again each second. ` +
    'Until the log says "release that is live is recorded", a restart of the program would serve another release.'
  )
}

const GOES_ON =
  'the change goes on without this command: outpost releases shows what becomes of it, and outpost rollback ends a trial'

/**
 * Tells the steps of a deploy or a rollback as they come, and its end.
 * @param url of the public port, for the link to a preview; only a deploy has one, and ends with its command at first
 */
export async function tellChange(
  context: Context,
  options: InstanceOptions,
  change: (onProgress: (event: DeployProgress) => void) => Promise<Deployed>,
  url?: string,
): Promise<void> {
  const { output } = context
  const { json } = options
  let hasBegun = url === undefined
  const deployed = await goingOn(
    context,
    options,
    () => (hasBegun ? GOES_ON : undefined),
    () =>
      change(event => {
        hasBegun = true
        if (json === true) output.json(event)
        else output.print(stepOf(event))
      }),
  )
  if (json === true) return output.json({ event: 'done', ...deployed })
  if (deployed.report !== undefined) output.print(...reportLines(deployed.report))
  const { release, preview, changed, unrecorded } = deployed
  if (changed !== undefined) output.note(changedNote(release, changed))
  if (unrecorded !== undefined) output.note(unrecordedNote(release, unrecorded))
  if (preview === undefined) return output.print(output.paint('green', `${release} is live`))
  const named = new URL(url ?? '')
  // A number has no names below it.
  const host = /^[\d.]+$|^\[/.test(named.hostname) ? 'localhost' : named.hostname
  output.print(
    output.paint('green', `${release} is in preview, and no other client gets it`),
    `  ${url}${preview.link}  sets a cookie for a day: only those who have this link get the release`,
    `  http://${preview.host}.${host}:${named.port}/  shows it to anyone who requests this host`,
    `outpost activate ${release} makes it live`,
  )
}
