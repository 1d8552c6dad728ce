import type { Route } from './action.js'
import type { Pass } from './pass.js'

/** Tells balancers which workers there are, and which of them take nothing new. */
export function route(pass: Pass): void {
  const routes: Route[] = []
  for (const { name, role, state } of pass.children) {
    if (role !== 'worker') continue
    if (state === 'ready') routes.push({ child: name, draining: false })
    else if (state === 'draining' || state === 'crashed') routes.push({ child: name, draining: true })
  }
  pass.act({ type: 'route', routes })
}
