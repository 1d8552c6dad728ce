import { Router, type RequestHandler } from 'express'
import * as z from 'zod'
import type { Products } from './products.js'
import { usernameFrom } from '../accounts/require-sign-in.js'
import { HttpError } from '../errors.js'
import { validated } from '../validation.js'

export interface ProductRouteOptions {
  products: Products
  signedIn: RequestHandler
}

const MAX_NAME = 200

const idSchema = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z, a-z, 0-9, "_" and "-"'),
})

const bodySchema = z.object({
  name: z
    .string('must be a string')
    .refine(name => name.trim() !== '' && name.length <= MAX_NAME, `must have 1 to ${MAX_NAME} characters`),
  price: z
    .number('must be a number of cents')
    .refine(price => Number.isSafeInteger(price) && price >= 0, 'must be a whole number of cents, 0 or more'),
})

/** GET /products/:id, PUT /products/:id. */
export function productRoutes({ products, signedIn }: ProductRouteOptions): Router {
  const router = Router()

  router.get('/products/:id', async (request, response) => {
    const { id } = validated(idSchema, request.params)
    const { value, state } = await products.find(id)
    response.set('X-Cache', state).set('Cache-Control', 'no-cache')
    if (value === undefined) throw new HttpError('NOT_FOUND')
    response.json(value)
  })

  router.put('/products/:id', signedIn, async (request, response) => {
    const { id } = validated(idSchema, request.params)
    const { name, price } = validated(bodySchema, request.body)
    response.json(await products.save({ id, name, price }, usernameFrom(response)))
  })

  return router
}
