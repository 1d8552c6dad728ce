import * as z from 'zod'
import type { Cache, Cached } from '../../services/cache.js'
import type { ObjectStorage } from '../../services/object-storage.js'
import type { ProductOwners } from './product-owners.js'

export const PRODUCT_TTL_SECONDS = 600

const productSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** In cents. */
  price: z.number(),
  /** ISO 8601. */
  updatedAt: z.string(),
})

export type Product = z.infer<typeof productSchema>

/** Products: the record is an object in the storage, and the cache serves the reads. */
export class Products {
  constructor(
    private readonly storage: Pick<ObjectStorage, 'check' | 'getJson' | 'putJson'>,
    private readonly cache: Pick<Cache, 'read' | 'write'>,
    private readonly owners: Pick<ProductOwners, 'admit'>,
  ) {}

  find(id: string): Promise<Cached<Product>> {
    return this.cache.read(cacheName(id), PRODUCT_TTL_SECONDS, async () => {
      const record = await this.storage.getJson(objectKey(id))
      return record === undefined ? undefined : productSchema.parse(record)
    })
  }

  /**
   * Makes a product, or changes one of the same account.
   * @throws {HttpError} NOT_OWNER
   */
  async save({ id, name, price }: Pick<Product, 'id' | 'name' | 'price'>, username: string): Promise<Product> {
    const product = { id, name, price, updatedAt: new Date().toISOString() }
    // A write that begins shortens the life of the cached value, so one that cannot be sent must not begin.
    await this.storage.check()
    const metadata = await this.owners.admit(id, objectKey(id), username)
    await this.cache.write(cacheName(id), PRODUCT_TTL_SECONDS, product, () =>
      this.storage.putJson(objectKey(id), product, metadata),
    )
    return product
  }
}

function objectKey(id: string): string {
  return `products/${id}.json`
}

function cacheName(id: string): string {
  return `product:${id}`
}
