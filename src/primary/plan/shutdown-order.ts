import type { Shutdown } from './desired.js'
import type { ChildRole } from './observed.js'
import type { Pass } from './pass.js'

/** Balancers take the traffic in, so they end first; the workers that serve it end when nothing comes any more. */
const ORDER: readonly ChildRole[] = ['balancer', 'worker']

/** Brings all processes to their end within the time of the shutdown. */
export function shutDown(pass: Pass, { cutAt, graceMs }: Shutdown): void {
  const alive = pass.children.filter(({ state }) => state !== 'exited')
  for (const { name, role, leaving } of alive) {
    if (role === 'worker' && !leaving) pass.act({ type: 'drain', child: name })
  }
  const role = ORDER.find(each => alive.some(child => child.role === each))
  for (const child of alive) {
    if (child.role !== role || child.state === 'stopping') continue
    pass.act({ type: 'stop', child: child.name, deadlineMs: Math.max(cutAt - pass.now, graceMs), graceMs })
  }
}
