import type { Route } from './action.js'
import type { Pass } from './pass.js'

/** Gives balancers the list of workers, and marks those that take no new requests. */
export function route(pass: Pass): void {
  const routes: Route[] = []
  for (const { name, role, state } of pass.children) {
    if (role !== 'worker') continue
    if (state === 'ready') routes.push({ child: name, draining: false })
    else if (state === 'draining' || state === 'crashed') routes.push({ child: name, draining: true })
  }
  pass.act({ type: 'route', routes })
}
