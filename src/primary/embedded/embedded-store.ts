import http from 'node:http'
import { ManagedServer, probeFailure, type ManagedServerOptions, type ProbeResult } from './managed-server.js'
import type { StoreBackend, StoreSettings } from './store-backend.js'

export interface EmbeddedStoreOptions extends StoreSettings, Pick<ManagedServerOptions, 'stopTimeoutMs' | 'log'> {
  backend: StoreBackend
}

const PROBE_TIMEOUT_MS = 1_000

/** The object store of one machine: the one that comes with Outpost, or a MinIO. */
export function embeddedStore({ backend, stopTimeoutMs, log, ...settings }: EmbeddedStoreOptions): ManagedServer {
  return new ManagedServer({
    name: 'object store',
    command: () => backend.spawn(settings),
    probe: () => probe(settings.port),
    stopTimeoutMs,
    log,
  })
}

/** Any HTTP answer under 500 will do: a request without a signature is refused by a store that serves. */
function probe(port: number): Promise<ProbeResult> {
  return new Promise(resolve => {
    const request = http.get({ host: '127.0.0.1', port, agent: false, timeout: PROBE_TIMEOUT_MS }, response => {
      response.resume()
      resolve((response.statusCode ?? 500) < 500 ? 'serves' : 'busy')
    })
    request.once('timeout', () => {
      resolve('silent')
      request.destroy()
    })
    // A store with as many connections as it takes cuts this one, which shows that it does not hang.
    const failed = (error: NodeJS.ErrnoException): void => {
      resolve(error.code === 'ECONNRESET' ? 'busy' : probeFailure(error))
    }
    request.once('error', failed)
  })
}
