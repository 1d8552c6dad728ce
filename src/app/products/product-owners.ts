import type { Redis, Result } from 'ioredis'
import type { ObjectStorage } from '../../services/object-storage.js'
import { HttpError } from '../errors.js'

/** Longer than a write may take. */
const CLAIM_MS = 60_000

declare module 'ioredis' {
  interface RedisCommander<Context> {
    releaseClaim(key: string, username: string): Result<number, Context>
  }
}

const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`

/**
 * The owners of products. An owner is in the metadata of the stored object. A claim in Redis decides between accounts
 * that make one at the same time. A product without an owner, from a version that noted none, belongs to the first account
 * that writes it.
 */
export class ProductOwners {
  constructor(
    private readonly redis: Redis,
    private readonly storage: Pick<ObjectStorage, 'stat'>,
  ) {
    redis.defineCommand('releaseClaim', { numberOfKeys: 1, lua: RELEASE })
  }

  /**
   * Lets the owner write, and makes an account the owner of a product that has none.
   * @param objectKey of the product's object
   * @returns the metadata to store with it
   * @throws {HttpError} NOT_OWNER
   */
  async admit(id: string, objectKey: string, username: string): Promise<Record<string, string>> {
    const metadata = { owner: encodeURIComponent(username) }
    if (await this.#isOwn(objectKey, username)) return metadata
    const claim = claimKey(id)
    const taken = await this.redis.set(claim, username, 'PX', CLAIM_MS, 'NX')
    if (taken === null && (await this.redis.get(claim)) !== username) throw new HttpError('NOT_OWNER')
    try {
      // Another account may have made it between the first look and the claim.
      await this.#isOwn(objectKey, username)
    } catch (error) {
      await this.redis.releaseClaim(claim, username)
      throw error
    }
    return metadata
  }

  /** @returns false when it has no owner */
  async #isOwn(objectKey: string, username: string): Promise<boolean> {
    const owner = (await this.storage.stat(objectKey))?.metadata['owner']
    if (owner === undefined) return false
    if (decodeURIComponent(owner) !== username) throw new HttpError('NOT_OWNER')
    return true
  }
}

/** The account that is making a product. */
export function claimKey(id: string): string {
  return `outpost:product-claim:{${id}}`
}
