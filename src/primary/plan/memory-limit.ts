import { placeKey } from './observed.js'
import type { Pass } from './pass.js'

/** After a worker was replaced for its memory, its successor is kept for this long, however large it grows. */
const PAUSE_MS = 60_000

/** Replaces workers over the memory limit, one at a time, because each successor needs memory beside them. */
export function replaceOverMemory(pass: Pass): void {
  const { workerMaxMemory } = pass.limits
  if (workerMaxMemory === 0 || isReplacing(pass)) return
  for (const { holder } of pass.workers) {
    if (holder?.state !== 'ready' || holder.rssBytes <= workerMaxMemory) continue
    const key = placeKey(holder)
    const last = pass.history.memoryReplacedAt.get(key) ?? -Infinity
    pass.lookAgainAt(last + PAUSE_MS)
    if (pass.now - last >= PAUSE_MS) {
      const reason = `over memory limit (${holder.rssBytes} of ${workerMaxMemory} bytes)`
      pass.act({ type: 'replace', child: holder.name, reason })
      pass.remember({ memoryReplacedAt: new Map(pass.history.memoryReplacedAt).set(key, pass.now) })
      return
    }
    if (!holder.tolerated) pass.act({ type: 'tolerate', child: holder.name })
  }
}

/** Whether a worker is being replaced, or one that gave up its place has not exited yet. */
function isReplacing(pass: Pass): boolean {
  if (pass.workers.some(({ successor }) => successor !== undefined)) return true
  return pass.children.some(
    ({ role, leaving, replaceReason, state }) =>
      role === 'worker' && state !== 'exited' && (leaving || replaceReason !== undefined),
  )
}
