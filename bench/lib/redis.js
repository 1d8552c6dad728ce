import { freePort } from './net.js'
import { findProgram, newFolder, start, stop } from './processes.js'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One redis-server for all peers, in memory only. Its time is nobody's: it is not counted to any peer. */
export async function startRedis() {
  const program = findProgram('redis-server')
  if (program === undefined) throw new Error('redis-server is needed (apt-get install redis-server)')
  const port = await freePort()
  const options = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    newFolder('redis'),
  ]
  const child = start('redis', program, options.map(String))
  while (!(await accepts(port))) await sleep(10)
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(child) }
}

function accepts(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true))
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
  })
}
