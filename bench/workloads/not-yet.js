import { ask } from '../lib/net.js'

/** Measured once the routes are there; until then the run says that they are not. */
export const uploads = whenThere('uploads', '/upload', 'POST')
export const websockets = whenThere('websockets', '/socket.io/?EIO=4&transport=polling', 'GET')

function whenThere(name, path, method) {
  return {
    name,
    async run(context) {
      const outpost = context.peers.find(peer => peer.name === 'outpost')
      if (outpost === undefined) return { skipped: 'Outpost is not among the peers of this run' }
      const running = (await context.fleet('built-in')).get('outpost')
      const { status } = await ask(running.origin, { method, path })
      return {
        skipped:
          status === 404 ? `Outpost has no ${method} ${path} yet` : `${method} ${path} is there, its workload is not`,
      }
    },
  }
}
