import type { ObservedChild } from './observed.js'
import type { Pass } from './pass.js'

/** Kills what will not come to anything by itself: a start that takes too long, a hang, a stop that is overdue. */
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

/** Why a process has to be killed. After a sleep of the primary everybody's time begins anew. */
function stuckReason(pass: Pass, child: ObservedChild): string | undefined {
  const { startTimeoutMs, hangTimeoutMs } = pass.limits
  const { awakeSince } = pass.observed
  if (child.state === 'exited') return undefined
  const startDue = Math.max(child.startedAt, awakeSince) + startTimeoutMs
  if (child.state === 'starting') {
    // A process may well be silent while it loads an app.
    return isDue(pass, startDue) ? `not ready within ${seconds(startTimeoutMs)}` : undefined
  }
  if (isDue(pass, Math.max(child.heardAt, awakeSince) + hangTimeoutMs)) {
    return `not heard of for ${seconds(hangTimeoutMs)}`
  }
  const isSuccessor = pass.places().some(({ successor }) => successor === child)
  if (isSuccessor && !child.reachable && isDue(pass, startDue)) return `not healthy within ${seconds(startTimeoutMs)}`
  return undefined
}

/** Stops processes that drain as soon as nothing is in flight at them, or when that takes too long. */
export function stopDrained(pass: Pass): void {
  const { drainTimeoutMs, stopTimeoutMs, cutMs, killGraceMs: graceMs } = pass.limits
  for (const { name: child, state, drained, drainingSince } of pass.children) {
    if (drainingSince === undefined) continue
    // One that has crashed exits by itself, unless it takes too long.
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
