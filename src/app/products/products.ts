import { z } from 'zod'
import type { Cache, Cached } from '../../services/cache.js'
import type { ObjectStorage } from '../../services/object-storage.js'

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
  ) {}

  find(id: string): Promise<Cached<Product>> {
    return this.cache.read(cacheName(id), PRODUCT_TTL_SECONDS, async () => {
      const record = await this.storage.getJson(objectKey(id))
      return record === undefined ? undefined : productSchema.parse(record)
    })
  }

  async save({ id, name, price }: Pick<Product, 'id' | 'name' | 'price'>): Promise<Product> {
    const product = { id, name, price, updatedAt: new Date().toISOString() }
    // A write that begins shortens the life of the cached value, so one that cannot be sent must not begin.
    await this.storage.check()
    await this.cache.write(cacheName(id), PRODUCT_TTL_SECONDS, product, () =>
      this.storage.putJson(objectKey(id), product),
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
