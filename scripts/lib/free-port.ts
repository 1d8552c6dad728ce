import { once } from 'node:events'
import net from 'node:net'

/**
 * Below the ports that systems give to connections and to servers without a port of their own: a port from among those can
 * be taken by any connection before the server has begun to listen.
 */
const LEAST = 10_240
const MOST = 32_000
const TRIES = 100

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES; i += 1) {
    const port = LEAST + Math.floor(Math.random() * (MOST - LEAST))
    if (await isFree(port)) return port
  }
  throw new Error(`${TRIES} ports between ${LEAST} and ${MOST} were tried, and none is free`)
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
