import type { Test } from 'tap'
import { ObjectStore, type ObjectStoreOptions } from '#src/object-store/object-store.js'
import { send, type Endpoint } from './signed-request.js'

export const credentials = { accessKey: 'key', secretKey: 'secret', region: 'us-east-1' }

export interface StartedStore {
  store: ObjectStore
  endpoint: Endpoint
  directory: string
}

/** A store on a port of its own. It stops with the test. */
export async function startedStore(t: Test, options: Partial<ObjectStoreOptions> = {}): Promise<StartedStore> {
  const { directory = t.testdir() } = options
  const store = new ObjectStore({ ...credentials, port: 0, ...options, directory })
  t.teardown(() => store.stop())
  return { store, directory, endpoint: { ...credentials, port: (await store.start()).port } }
}

/** The same, with an empty bucket. */
export async function storeWithBucket(t: Test, options: Partial<ObjectStoreOptions> = {}): Promise<StartedStore> {
  const started = await startedStore(t, options)
  await send(started.endpoint, { method: 'PUT', path: '/bucket' })
  return started
}
