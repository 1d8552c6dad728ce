import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Harness } from './harness.js'

const CONNECTIONS = 4
const PAUSE_MS = 20
const TIMEOUT_MS = 10_000
const ALONE_MS = 5_000

/** The counts of a client that asks for a page again and again. Times in milliseconds. */
export interface Politely {
  answered: number
  /** Requests that failed, or were answered with another status than 200. */
  lost: number
  p99: number
  longest: number
}

/** How the client reaches the server, if not from 127.0.0.1 and by itself. */
export interface Through {
  /** The address of a proxy. */
  proxy: string
  /** The client that the proxy names. */
  client: string
}

/** A client at 127.0.0.1 in a process of its own, so that a test may be busy as an attacker. */
export class PoliteClient {
  readonly #child: ChildProcess

  constructor(t: Harness, url: string, through?: Through) {
    const words = through === undefined ? [] : [through.proxy, through.client]
    this.#child = fork(fileURLToPath(import.meta.url), [url, ...words])
    t.teardown(() => this.#child.kill('SIGKILL'))
  }

  /** The same client, measured while nothing else happens. */
  static async alone(t: Harness, url: string, through?: Through): Promise<Politely> {
    const client = new PoliteClient(t, url, through)
    await sleep(ALONE_MS)
    return client.stop()
  }

  async stop(): Promise<Politely> {
    const told = once(this.#child, 'message') as Promise<[Politely]>
    this.#child.send('stop')
    const [report] = await told
    this.#child.disconnect()
    return report
  }
}

async function beAClient(url: string, through?: Through): Promise<void> {
  let stopping = false
  process.once('message', () => (stopping = true))
  const times: number[] = []
  let lost = 0
  const loops = Array.from({ length: CONNECTIONS }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!stopping) {
      const begun = performance.now()
      if ((await statusOf(url, agent, through)) !== 200) lost += 1
      times.push(performance.now() - begun)
      await sleep(PAUSE_MS)
    }
    agent.destroy()
  })
  await Promise.all(loops)
  times.sort((a, b) => a - b)
  const at = (share: number): number => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0)
  process.send?.({ answered: times.length, lost, p99: at(0.99), longest: at(1) } satisfies Politely)
}

/** Its counts under an attack, beside those without one. */
export function sawOf({ answered, lost, p99, longest }: Politely, alone: Politely): string {
  return (
    `${answered} answered, ${lost} lost, p99 ${p99} ms (without the attack ${alone.p99} ms), ` +
    `longest ${longest} ms (${alone.longest} ms)`
  )
}

function statusOf(url: string, agent: http.Agent, through?: Through): Promise<number> {
  const named =
    through === undefined ? {} : { localAddress: through.proxy, headers: { 'X-Forwarded-For': through.client } }
  return new Promise(resolve => {
    const request = http.get(url, { agent, timeout: TIMEOUT_MS, ...named }, response => {
      response
        .resume()
        .once('end', () => resolve(response.statusCode ?? 0))
        .once('error', () => resolve(0))
    })
    request.once('timeout', () => request.destroy())
    request.once('error', error => {
      // A proxy sends a request again whose connection was kept from an earlier one, and closed meanwhile.
      const { code } = error as NodeJS.ErrnoException
      const isStale = through !== undefined && request.reusedSocket && code === 'ECONNRESET'
      resolve(isStale ? statusOf(url, agent, through) : 0)
    })
  })
}

const [, self, url, proxy, client] = process.argv
if (self === fileURLToPath(import.meta.url) && url !== undefined)
  await beAClient(url, proxy === undefined || client === undefined ? undefined : { proxy, client })
