import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '#scripts/lib/free-port.js'
import { findProgram, newFolder, start, stop } from './processes.js'

export interface SharedRedis {
  url: string
  stop: () => Promise<void>
}

/** One redis-server for all peers, in memory only. Its processor time is counted to no peer. */
export async function startRedis(): Promise<SharedRedis> {
  const program = findProgram('redis-server')
  if (program === undefined) throw new Error('redis-server is needed (apt-get install redis-server)')
  const port = await freePort()
  const address = ['--port', String(port), '--bind', '127.0.0.1']
  const memoryOnly = ['--save', '', '--appendonly', 'no', '--dir', newFolder('redis')]
  const redis = start('redis', program, [...address, ...memoryOnly])
  while (!(await accepts(port))) await sleep(10)
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(redis) }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true))
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
  })
}
