import type { DeployProgress } from '../control/protocol.js'
import { count, percent } from './units.js'

/** A step of a deploy as people read it. */
export function stepOf(event: DeployProgress): string {
  switch (event.event) {
    case 'received':
      return `${event.release} is received: ${count(event.files, 'file')}, ${Math.ceil(event.bytes / 1024)} KiB`
    case 'installing':
      return event.command
    case 'baking':
      return `${percent(event.share)} of the clients get ${event.release} for ${event.seconds} s`
    case 'filling':
      return `all workers of ${event.release} are started`
  }
}
