import type { Embeddable } from '../config/embedding.js'
import type { LocalState, Report } from '../ipc/messages.js'
import type { PortOpening } from './port-opening.js'
import type { Child, ChildObserver } from './processes/child.js'
import type { ReleaseSwitch } from './releases/release-switch.js'
import type { SupervisorLog } from './supervisor-log.js'
import type { Traffic } from './traffic/traffic.js'

export interface ReportTakers {
  traffic: Traffic
  port: PortOpening
  releases: ReleaseSwitch
  log: SupervisorLog
  /** Requests a pass. */
  ask(): void
  /** A line that a child printed. */
  print(child: Child, line: string): void
  /** An app uses a server that may not run yet. */
  need(service: Embeddable): void
  /** An app keeps this in the memory of each worker. */
  keepsLocally(state: LocalState): void
  /** An app has come to be served, or is served by something else from now on. */
  servedBy(child: Child, report: Extract<Report, { type: 'served-by' }>): void
  /** The worker of an app that does work of its own ends. */
  endsOwnWork(child: Child, work: Extract<Report, { type: 'own-work' }>): void
  /** A request waits for a worker. */
  needsWorker(): void
  /** A request has ended this worker. */
  pardon(id: string): void
  replace(child: Child, reason: string): void
}

/** Records the reports of children. */
export class ChildReports implements ChildObserver {
  constructor(private readonly takers: ReportTakers) {}

  childReported(child: Child, report: Report): void {
    if (this.#note(child, report)) this.takers.ask()
  }

  childExited(child: Child): void {
    // First: the plan counts the loss.
    if (this.takers.traffic.noteEnd(child)) this.takers.pardon(child.id)
    this.takers.ask()
  }

  childPrinted(child: Child, line: string): void {
    this.takers.print(child, line)
  }

  /** @returns whether a pass is needed: the plan uses what has changed */
  #note(child: Child, report: Report): boolean {
    const { traffic, port, releases, log } = this.takers
    switch (report.type) {
      case 'ready':
        child.markReady()
        traffic.begin(child)
        if (child.role === 'worker') port.openAt(report.host)
        return true
      case 'listening':
        port.noteAccepting()
        return true
      case 'crashed':
        child.markCrashed()
        return true
      case 'replace-me':
        this.takers.replace(child, report.reason)
        return true
      case 'target-state':
        traffic.board.noteState(child, report.id, report.state)
        log.targetState(child, report)
        return true
      case 'drained':
        traffic.board.noteDrained(child, report.id)
        return true
      case 'clients-gone':
        traffic.board.noteClientsGone(child)
        return true
      case 'ended-by-request':
        this.takers.pardon(report.id)
        return true
      case 'fatal-request':
        traffic.fatal.note(report, Date.now())
        return true
      case 'release-figures':
        releases.addFigures(report.figures, performance.now())
        return true
      default:
        this.#noteAside(child, report)
        return false
    }
  }

  /** Facts that the plan does not use. */
  #noteAside(child: Child, report: Report): void {
    const { traffic, port, log } = this.takers
    switch (report.type) {
      case 'failed':
        log.failedToStart(child, report.reason)
        // A balancer needs only the port to start.
        if (child.role === 'balancer') port.noteLost()
        return
      case 'heartbeat':
        return child.noteVitals(report.vitals)
      case 'needs':
        return this.takers.need(report.service)
      case 'keeps-locally':
        return this.takers.keepsLocally(report.state)
      case 'served-by':
        return this.takers.servedBy(child, report)
      case 'own-work':
        return this.takers.endsOwnWork(child, report)
      case 'no-worker':
        return this.takers.needsWorker()
      case 'routed':
        return traffic.noteRouted(child, report.list)
      case 'quiet':
        return traffic.noteQuiet(child, report.pausedUntil)
      case 'target-out':
        // In a stop the workers of mesh mode see each other end.
        if (child.state !== 'stopping') log.targetOut(report)
        return
      case 'hint':
        return log.hint(report.message)
      case 'security':
        return log.security(child, report.facts, report.message)
      case 'full':
        return log.full(child, report.connections)
    }
  }
}
