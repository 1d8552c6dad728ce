import type { Route } from './action.js'
import type { Pass } from './pass.js'

/** Gives balancers the list of workers, and marks those that take no new requests. */
export function route(pass: Pass): void {
  const shares = new Map(pass.desired.releases.map(({ id, share }) => [id, share]))
  const routes: Route[] = []
  for (const { name, role, state, release } of pass.children) {
    if (role !== 'worker') continue
    const share = shares.get(release)
    const some = share === undefined ? {} : { release, share }
    if (state === 'ready') routes.push({ child: name, draining: false, ...some })
    else if (state === 'draining' || state === 'crashed') routes.push({ child: name, draining: true, ...some })
  }
  pass.act({ type: 'route', routes })
}
