import type { Server } from 'node:http'
import { makesNodesMessages } from './express-messages.js'

/** The options of `http.createServer` that a server keeps as properties. */
interface Configured extends Server {
  joinDuplicateHeaders?: boolean
  rejectNonStandardBodyWrites?: boolean
}

/**
 * Whether requests and responses that Node's own server has made differ from those of the app's server: it has classes of
 * its own, reads repeated headers in another way, or is stricter.
 */
export function hasOwnMessages(server: Configured): boolean {
  return (
    !makesNodesMessages(server) ||
    server.joinDuplicateHeaders === true ||
    server.rejectNonStandardBodyWrites === true ||
    hasUniqueHeaders(server)
  )
}

/** Node keeps the option `uniqueHeaders` under a symbol of its own. */
function hasUniqueHeaders(server: object): boolean {
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'kUniqueHeaders')
  return symbol !== undefined && Boolean((server as Record<symbol, unknown>)[symbol])
}
