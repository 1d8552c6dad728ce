import net from 'node:net'
import { IDENTITY_HEADER, sealProbe } from '../contract/client-envelope.js'
import type { BalancerOptions } from '../options.js'

export type ProbeOptions = Pick<BalancerOptions, 'healthPath' | 'healthyBelow' | 'healthTimeoutMs' | 'identityKey'>

/** A target that sends no status within this many bytes is not healthy. */
const MAX_HEAD_BYTES = 16_384

/**
 * One GET over a connection of its own, because a target must accept new ones to be healthy. In mesh mode it runs beside an
 * app, which may observe or replace `http.request`, as tracing and agents of proxies do. So it does without that.
 */
export class Probe {
  /** Resolves to why the probe is bad, or to undefined. */
  readonly fault: Promise<string | undefined>
  readonly #socket: net.Socket
  #head = ''

  constructor(
    socketPath: string,
    private readonly options: ProbeOptions,
  ) {
    this.#socket = net.connect(socketPath).setEncoding('latin1')
    this.fault = this.#outcome().then(outcome =>
      outcome === undefined ? undefined : `GET ${options.healthPath} ${outcome}`,
    )
    this.#socket.write(requestFor(options))
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #outcome(): Promise<string | undefined> {
    const { healthyBelow, healthTimeoutMs } = this.options
    const socket = this.#socket
    return new Promise(resolve => {
      const timeout = setTimeout(() => {
        resolve(`was not answered within ${healthTimeoutMs / 1_000} s`)
        socket.destroy()
      }, healthTimeoutMs).unref()
      // The rest of the answer is taken, too: an app may notice a connection that breaks off.
      socket.on('data', (text: string) => {
        const status = this.#statusIn(text)
        if (status !== undefined) resolve(status < healthyBelow ? undefined : `was answered ${status}`)
      })
      socket.once('error', error => resolve(`failed: ${error.message}`))
      socket.once('close', () => {
        clearTimeout(timeout)
        resolve('was not answered')
      })
    })
  }

  /** The status of the answer, once it is known. Answers before it (1xx) are none. */
  #statusIn(text: string): number | undefined {
    if (this.#head.length > MAX_HEAD_BYTES) return undefined
    this.#head = withoutInformation(this.#head + text)
    const status = Number(STATUS_LINE.exec(this.#head)?.[1])
    return status >= 200 ? status : undefined
  }
}

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})[ \r]/
const INFORMATION = /^HTTP\/1\.[01] 1\d\d[ \r]/

function withoutInformation(head: string): string {
  const end = INFORMATION.test(head) ? head.indexOf('\r\n\r\n') : -1
  return end < 0 ? head : withoutInformation(head.slice(end + 4))
}

function requestFor({ healthPath, identityKey }: ProbeOptions): string {
  return [
    `GET ${healthPath} HTTP/1.1`,
    'Host: localhost',
    'User-Agent: outpost-health-check',
    `${IDENTITY_HEADER}: ${sealProbe(identityKey)}`,
    'Connection: close',
    '\r\n',
  ].join('\r\n')
}
