import http from 'node:http'
import { tryToAsk, type AskOptions, type Reply } from '../lib/http-client.js'

const TIMEOUT_MS = 60_000

/** One keep-alive connection to the service, like that of a patient client. */
export class PatientClient {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  constructor(private readonly origin: URL) {}

  /** Never rejects; a broken connection is a reply, too. */
  ask(path: string, options: AskOptions = {}): Promise<Reply> {
    return tryToAsk(this.origin, path, { ...options, agent: this.#agent, timeoutMs: TIMEOUT_MS })
  }

  close(): void {
    this.#agent.destroy()
  }
}
