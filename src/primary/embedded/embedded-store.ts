import http from 'node:http'
import { ManagedServer, probeFailure, type ManagedServerOptions, type ProbeResult } from './managed-server.js'
import type { StoreBackend, StorePlace, StoreSettings } from './store-backend.js'

export interface EmbeddedStoreOptions extends StoreSettings, Pick<ManagedServerOptions, 'stopTimeoutMs' | 'log'> {
  backend: StoreBackend
}

const PROBE_TIMEOUT_MS = 1_000

/** The object store of one machine: Outpost's own, or a MinIO. */
export function embeddedStore({ backend, stopTimeoutMs, log, ...settings }: EmbeddedStoreOptions): ManagedServer {
  return new ManagedServer({
    name: 'object store',
    command: () => backend.spawn(settings),
    probe: () => probe(settings.place),
    stopTimeoutMs,
    log,
  })
}

/** Any HTTP answer under 500 is good: a store that serves refuses a request without a signature. */
function probe({ socketPath, port }: StorePlace): Promise<ProbeResult> {
  const where = socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath }
  return new Promise(resolve => {
    const request = http.get({ ...where, agent: false, timeout: PROBE_TIMEOUT_MS }, response => {
      response.resume()
      resolve((response.statusCode ?? 500) < 500 ? 'serves' : 'busy')
    })
    request.once('timeout', () => {
      resolve('silent')
      request.destroy()
    })
    // A store at its limit of connections cuts this one. That shows that it does not hang.
    const failed = (error: NodeJS.ErrnoException): void => {
      resolve(error.code === 'ECONNRESET' ? 'busy' : probeFailure(error))
    }
    request.once('error', failed)
  })
}
