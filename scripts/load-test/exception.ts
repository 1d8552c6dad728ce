import { randomBytes } from 'node:crypto'
import http from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryToAsk } from '../lib/http-client.js'

const INSPECTOR = { host: '127.0.0.1', port: 9229, agent: false } as const
const ANSWER_MS = 2_000
const TRIES = 50
const PAUSE_MS = 20

/**
 * After a delay, and after this client has left: closing the inspector waits for its clients, and an open one would
 * keep its port while a worker goes on forwarding.
 */
const THROW = 'setTimeout(()=>{process._debugEnd();throw Error("load test")},100);0'

/** Throws an uncaught exception in any Node process, through its inspector, which SIGUSR1 opens. */
export async function throwIn(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR1')
  for (let left = TRIES; left > 0; left -= 1) {
    const path = await inspectorPath()
    if (path !== undefined) return evaluate(path, THROW)
    await sleep(PAUSE_MS)
  }
}

/** Undefined while no inspector answers on its port. */
async function inspectorPath(): Promise<string | undefined> {
  const { text } = await tryToAsk(`http://${INSPECTOR.host}:${INSPECTOR.port}`, '/json', { timeoutMs: ANSWER_MS })
  return /"webSocketDebuggerUrl": *"ws:\/\/[^/"]*([^"]+)"/.exec(text)?.[1]
}

/** Resolves when the expression has been evaluated, or cannot be. */
function evaluate(path: string, expression: string): Promise<void> {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  }
  return new Promise(resolve => {
    const request = http.get({ ...INSPECTOR, path, headers, timeout: ANSWER_MS })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve())
    request.on('response', response => {
      response.destroy()
      resolve()
    })
    request.on('upgrade', (_response, socket: Socket) => {
      socket.on('error', () => undefined).on('close', () => resolve())
      socket.setTimeout(ANSWER_MS, () => socket.destroy())
      socket.once('data', () => socket.destroy())
      socket.write(textFrame(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })))
    })
  })
}

/** RFC 6455, section 5.2: final, text, masked by zeros. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([head, payload])
}
