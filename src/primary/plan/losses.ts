import { placeKey, type ObservedChild } from './observed.js'
import type { Pass } from './pass.js'
import { forgiven, judgeLoss, pardoned as withoutLossOf } from './restart-policy.js'
import { abandonIfFailed } from './rollout.js'

/** Takes losses back that were counted before it was known that a request was the reason. */
export function pardonLosses(pass: Pass): void {
  const { restarts } = pass.history
  const worker = pass.observed.pardons.reduce(withoutLossOf, restarts.worker)
  if (worker !== restarts.worker) pass.remember({ restarts: { ...restarts, worker } })
}

/** Records processes that exited or crashed, and decides when their places are filled again. */
export function countLosses(pass: Pass): void {
  for (const child of pass.children) {
    if (isLost(child) && pass.desired.shutdown === undefined) lose(pass, child)
    if (child.state === 'crashed' && child.drainingSince === undefined) pass.act({ type: 'drain', child: child.name })
    if (child.state === 'exited') pass.act({ type: 'forget', child: child.name })
  }
  forgive(pass)
}

/** Whether a process has left its place without being asked to. */
function isLost(child: ObservedChild): boolean {
  if (child.counted) return false
  return child.state === 'crashed' || (child.state === 'exited' && !child.leaving)
}

function lose(pass: Pass, child: ObservedChild): void {
  // The old worker still holds the place and keeps serving, so only the reload reports the failure.
  if (abandonIfFailed(pass, child) && pass.places.some(place => place.isOf(child) && place.holder)) return
  const { restarts } = pass.history
  const { name, generation, pardoned } = child
  const loss = { child: name, place: placeKey(child), servedMs: pardoned ? Infinity : child.servedMs, generation }
  const { verdict, history } = judgeLoss(restarts[child.role], loss, pass.now, pass.limits.provenMs)
  pass.remember({ restarts: { ...restarts, [child.role]: history } })
  pass.act({ type: 'lose', child: child.name, verdict })
}

function forgive(pass: Pass): void {
  // A holder that started before the loss does not show that a new successor would last.
  const isFine = (key: string, since: number): boolean => {
    const place = pass.places.find(each => each.key === key)
    return place === undefined || ((place.holder?.startedAt ?? 0) > since && pass.isProven(place.holder))
  }
  const { worker, balancer } = pass.history.restarts
  const left = { worker: forgiven(worker, isFine), balancer: forgiven(balancer, isFine) }
  if (left.worker !== worker || left.balancer !== balancer) pass.remember({ restarts: left })
}
