import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A loopback port that is free at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

export async function freePorts(count) {
  const ports = new Set()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

/** One request; a broken connection is a reply with status 0. */
export function ask(origin, { method = 'GET', path = '/', headers = {}, body, timeoutMs = 10_000 } = {}) {
  return new Promise(resolve => {
    const failed = error => resolve({ status: 0, headers: {}, body: '', error: error.message })
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const request = http.request(new URL(path, origin), { method, agent: false, headers: { ...headers, ...length } })
    request.setTimeout(timeoutMs, () => request.destroy(new Error('no answer in time')))
    request.once('error', failed)
    request.once('response', response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => (text += chunk))
      response.once('error', failed)
      response.once('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }))
    })
    request.end(body)
  })
}

export function askJson(origin, path, value) {
  return ask(origin, {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  })
}

const START_MS = 60_000
const SHOWN_OF_LOG = 600

/**
 * Over when GET /health is answered with 200 for the first time.
 * @throws with the last of what `child` had to say, when it ends before that or takes too long
 */
export async function untilServing(origin, child) {
  const deadline = performance.now() + START_MS
  let ended = false
  void child?.over.then(() => (ended = true))
  while (performance.now() < deadline && !ended) {
    const { status } = await ask(origin, { path: '/health', timeoutMs: 2_000 })
    if (status === 200) return
    await sleep(10)
  }
  const said = child === undefined ? '' : fs.readFileSync(child.logFile, 'utf8').trim().slice(-SHOWN_OF_LOG)
  throw new Error(`${ended ? 'it ended before it served' : 'it did not serve in time'}: ${said}`)
}
