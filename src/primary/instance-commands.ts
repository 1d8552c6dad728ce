import type { Commands } from '../control/commands.js'
import { besideWanted, statusOf, type StatusFacts } from './instance-status.js'
import type { Deployer } from './releases/deployer.js'
import type { MaintenanceMode } from './traffic/maintenance-mode.js'
import type { TrafficPause } from './traffic/traffic-pause.js'
import { closedForUpgrade } from './upgrade/closed-commands.js'
import type { Handover } from './upgrade/handover.js'

interface CommandParts extends Omit<StatusFacts, 'admin'> {
  deployer: Deployer
  pause: TrafficPause
  maintenance: MaintenanceMode
  handover: Handover
  log: Commands['log']
  tokens: Commands['tokens']
  /** The control API on a port, once there is one. */
  admin: () => StatusFacts['admin']
}

/** The commands behind the control API. */
export function commandsOf(parts: CommandParts): Commands {
  const { supervisor, beside, deployer, pause, maintenance, handover, log, tokens, admin } = parts
  let isToStop = false
  const commands: Commands = {
    status: () => statusOf({ ...parts, admin: admin() }),
    serving: () => supervisor.served(),
    log,
    reload: onProgress => supervisor.reload(onProgress).then(replaced => ({ replaced })),
    scale: ({ processes, ...wanted }) => ({
      ...(processes === undefined ? besideWanted(beside) : { processes: beside.scale(processes) }),
      ...supervisor.scale(wanted),
    }),
    releases: () => deployer.list(),
    deploy: (archive, query, told) => deployer.deploy({ archive, ...query }, told),
    environment: () => deployer.environment(),
    setEnvironment: (change, told) => deployer.setEnvironment(change, told),
    runPlace: () => deployer.runPlace(),
    activate: (release, stages, told) => deployer.activate(release, stages, told),
    rollback: (release, told) => deployer.rollback(release, told),
    pause: wanted => pause.begin(wanted),
    resume: () => pause.end().then(pausedMs => ({ pausedMs })),
    maintain: async wanted => {
      await maintenance.set(wanted)
      return { on: wanted.on }
    },
    tokens,
    upgrade: ({ program: file, node = process.execPath, within }) =>
      handover.prepare({ node, program: file }, within && within * 1_000),
    stop() {
      // A second signal would cut the stop short, and two people may both give the command.
      if (!isToStop) process.kill(process.pid, 'SIGTERM')
      isToStop = true
    },
  }
  return closedForUpgrade(commands, handover)
}
