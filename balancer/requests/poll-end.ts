import type { ServerResponse } from 'node:http'

/** A poll is left this long, so that it takes what waits for it. */
export const LEAST_POLL_MS = 50

/** A packet of Engine.IO that closes its session. Clients open a new one by themselves. */
const CLOSE_PACKET = '1'
const CLOSE_HEADERS = { 'content-type': 'text/plain; charset=UTF-8', 'content-length': 1, 'cache-control': 'no-store' }

/** Answers a poll of Engine.IO with the end of its session. */
export function endPolledSession(response: ServerResponse): void {
  response.writeHead(200, CLOSE_HEADERS).end(CLOSE_PACKET)
}
