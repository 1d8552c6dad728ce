import type { Config } from '../config/config.js'
import type { ProcessStatus, Scaled, Status } from '../control/protocol.js'
import { noVitals } from '../ipc/vitals.js'
import { programVersion } from '../process/version.js'
import type { CronRunner } from './cron/cron-runner.js'
import type { GroupUsage } from './beside/group-usage.js'
import type { SideProcesses } from './beside/side-processes.js'
import type { PublicPort } from './host/public-port.js'
import type { Supervisor } from './supervisor.js'
import type { MaintenanceMode } from './traffic/maintenance-mode.js'
import type { TrafficPause } from './traffic/traffic-pause.js'

export interface StatusFacts {
  supervisor: Supervisor
  beside: SideProcesses
  usage: GroupUsage
  cron: Pick<CronRunner, 'status'>
  pause: Pick<TrafficPause, 'facts'>
  maintenance: Pick<MaintenanceMode, 'facts'>
  publicPort: Pick<PublicPort, 'host' | 'port'>
  config: Pick<Config, 'app' | 'dataDir'>
  /** The control API on a port, if it has one. */
  admin: { readonly port: number | undefined } | undefined
}

/** The document of `GET /v1/status`. */
export function statusOf(facts: StatusFacts): Status {
  const { supervisor, beside, usage, cron, pause, maintenance, publicPort, config, admin } = facts
  const { host, port } = publicPort
  const { app, dataDir } = config
  const { current, underWay, preview } = supervisor.changes.releases
  return {
    pid: process.pid,
    version: programVersion,
    state: supervisor.phase,
    ageMs: Math.round(process.uptime() * 1_000),
    ...(app === undefined ? {} : { app }),
    dataDir,
    host,
    port,
    ...(admin?.port !== undefined && { adminPort: admin.port }),
    wanted: { ...supervisor.wanted, ...besideWanted(beside) },
    release: current,
    ...(supervisor.sleep && { sleep: supervisor.sleep }),
    ...(underWay && { deploying: underWay }),
    ...(preview && { preview: { release: preview.release, ready: preview.isReady } }),
    ...(pause.facts && { paused: pause.facts }),
    ...(maintenance.facts && { maintenance: maintenance.facts }),
    processes: [...childrenOf(supervisor), ...besideOf(beside, usage)],
    ...(cron.status.length > 0 && { cron: cron.status }),
  }
}

/** Nothing where the app has none. */
export function besideWanted({ wanted }: SideProcesses): Pick<Scaled, 'processes'> {
  return Object.keys(wanted).length === 0 ? {} : { processes: wanted }
}

function childrenOf(supervisor: Supervisor): ProcessStatus[] {
  return supervisor.children().map(child => {
    const { role, id, spec, pid, state, ageMs, servedMs, vitals } = child
    const { release, generation, place } = spec
    const known = pid === undefined ? {} : { pid }
    const times = { ageMs: Math.round(ageMs), servedMs: Math.round(servedMs) }
    const restarts = supervisor.restartsOf(child)
    return { role, id, release, generation, place, ...known, state, ...times, restarts, ...vitals }
  })
}

function besideOf(beside: SideProcesses, usage: GroupUsage): ProcessStatus[] {
  const processes = beside.processes()
  const used = usage.of(new Set(processes.flatMap(({ pid }) => pid ?? [])), performance.now())
  return processes.map(process => {
    const { name: id, spec, pid, state, ranMs } = process
    const { release, generation } = spec
    const { place } = spec.at
    const ageMs = Math.round(ranMs)
    return {
      role: 'process',
      id,
      release,
      generation,
      place,
      ...(pid === undefined ? {} : { pid }),
      state: state === 'running' ? 'ready' : state,
      ageMs,
      servedMs: ageMs,
      restarts: beside.restartsOf(process),
      ...noVitals,
      ...(pid === undefined ? {} : used.get(pid)),
    }
  })
}
