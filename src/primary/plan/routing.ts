import type { Route } from './action.js'
import type { Pass } from './pass.js'

/** Gives balancers the list of workers, and marks those that take no new requests. */
export function route(pass: Pass): void {
  const shares = new Map(pass.desired.releases.map(({ id, share }) => [id, share]))
  const routes: Route[] = []
  for (const child of pass.children) {
    const { name, role, state, release } = child
    if (role !== 'worker') continue
    const share = shares.get(release)
    const some = share === undefined ? {} : { release, share }
    // A worker that this pass begins to drain gets nothing new from this list on.
    if (state === 'ready' && pass.drainingSince(child) === undefined)
      routes.push({ child: name, draining: false, ...some })
    else if (state === 'ready' || state === 'draining' || state === 'crashed')
      routes.push({ child: name, draining: true, ...some })
  }
  pass.act({ type: 'route', routes })
}
