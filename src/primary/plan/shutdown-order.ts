import type { Shutdown } from './desired.js'
import type { ChildRole } from './observed.js'
import type { Pass } from './pass.js'

/** Balancers accept the traffic, so they end first. The workers that serve it end when no more requests come. */
const ORDER: readonly ChildRole[] = ['balancer', 'worker']

/** Ends all processes within the time of the shutdown. */
export function shutDown(pass: Pass, { cutAt, graceMs, ...settling }: Shutdown): void {
  const alive = pass.children.filter(({ state }) => state !== 'exited')
  for (const { name, role, leaving } of alive) {
    if (role === 'worker' && !leaving) pass.act({ type: 'drain', child: name })
  }
  const role = ORDER.find(each => alive.some(child => child.role === each))
  for (const child of alive) {
    if (child.role !== role || child.state === 'stopping') continue
    const deadlineMs = Math.max(cutAt - pass.now, graceMs)
    pass.act({ type: 'stop', child: child.name, deadlineMs, graceMs, ...settling })
  }
}
