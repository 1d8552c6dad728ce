import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StorageAddress } from '#src/ipc/messages.js'
import { ObjectStorage } from '#src/services/object-storage.js'
import type { Cluster } from './cluster.js'
import { until } from './deadline.js'
import type { Harness } from './harness.js'

/** Where a cluster's own object store is, and its keys. */
export function storageAddressOf({ dataDir }: Pick<Cluster, 'dataDir'>): StorageAddress {
  const kept = (name: string): string => readFileSync(join(dataDir, name), 'utf8').trim()
  // A minio has a port, Outpost's own store a socket and no port unless one is asked for.
  const socketPath = join(dataDir, 'run', 'store.sock')
  const where = existsSync(socketPath)
    ? { endpoint: 'http://127.0.0.1', socketPath }
    : { endpoint: `http://127.0.0.1:${kept('store-port')}` }
  return {
    ...where,
    accessKey: 'outpost',
    secretKey: kept('store-secret'),
    bucket: 'outpost',
    region: 'us-east-1',
  }
}

/** The contents of a storage, read without the program that owns it. */
export class StorageView {
  readonly storage: ObjectStorage

  constructor(t: Harness, address: StorageAddress) {
    this.storage = new ObjectStorage(address)
    t.teardown(() => this.storage.close())
  }

  async keys(prefix = 'uploads/'): Promise<string[]> {
    return (await collected(this.storage.list(prefix))).map(({ key }) => key)
  }

  async incomplete(): Promise<string[]> {
    return (await collected(this.storage.incompleteUploads(''))).map(({ uploadId }) => uploadId)
  }

  /** Waits until this many multipart uploads are under way. */
  async hasIncomplete(count: number): Promise<void> {
    await until(async () => (await this.incomplete()).length === count, `${count} uploads under way`, 20_000)
  }
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
