import type { ObservedChild } from './observed.js'
import type { Pass } from './pass.js'

/** Kills processes that start too slowly, hang, or are overdue to stop. */
export function killStuck(pass: Pass): void {
  for (const child of pass.children) {
    if (child.state === 'stopping') {
      if (child.killAt !== undefined && isDue(pass, child.killAt)) pass.act({ type: 'kill', child: child.name })
      continue
    }
    const reason = stuckReason(pass, child)
    if (reason !== undefined) pass.act({ type: 'kill', child: child.name, reason })
  }
}

/** The reason to kill a process, if there is one. After a sleep of the primary all deadlines begin anew. */
function stuckReason(pass: Pass, child: ObservedChild): string | undefined {
  const { startTimeoutMs, hangTimeoutMs } = pass.limits
  const { awakeSince } = pass.observed
  if (child.state === 'exited') return undefined
  const startDue = Math.max(child.startedAt, awakeSince) + startTimeoutMs
  if (child.state === 'starting') {
    // A process may be silent while it loads an app.
    return isDue(pass, startDue) ? `not ready within ${seconds(startTimeoutMs)}` : undefined
  }
  if (isDue(pass, Math.max(child.heardAt, awakeSince) + hangTimeoutMs)) {
    return `no heartbeat for ${seconds(hangTimeoutMs)}`
  }
  const isSuccessor = pass.places.some(({ successor }) => successor === child)
  if (isSuccessor && !child.reachable && isDue(pass, startDue)) return `not healthy within ${seconds(startTimeoutMs)}`
  return undefined
}

/** Stops a draining process as soon as nothing is in flight at it, or when the drain takes too long. */
export function stopDrained(pass: Pass): void {
  const { drainTimeoutMs, stopTimeoutMs, cutMs, killGraceMs: graceMs } = pass.limits
  for (const { name: child, state, drained, drainingSince } of pass.children) {
    if (drainingSince === undefined) continue
    // A crashed process exits by itself. It is stopped only if that takes too long.
    if (state === 'draining' && drained) {
      pass.act({ type: 'stop', child, deadlineMs: stopTimeoutMs, graceMs })
    } else if ((state === 'draining' || state === 'crashed') && isDue(pass, drainingSince + drainTimeoutMs)) {
      pass.act({ type: 'stop', child, deadlineMs: cutMs, graceMs })
    }
  }
}

function isDue(pass: Pass, time: number): boolean {
  pass.lookAgainAt(time)
  return pass.now >= time
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`
}
