/** The OpenAPI 3.1 description of the built-in app, served at `/openapi.json`. docs/http-api.md says the same in words. */

import { Router } from 'express'
import { accountPaths } from './account-paths.js'
import { schemas } from './openapi-schemas.js'
import { productPaths } from './product-paths.js'
import { servicePaths } from './service-paths.js'
import { uploadPaths } from './upload-paths.js'

export const openapi = {
  openapi: '3.1.0',
  info: {
    title: 'Outpost',
    version: '0.1.0',
    description:
      'Every answer carries `X-Request-Id`; with EXPOSE_WORKER=1 also `X-Outpost-Worker`, the worker that served it. ' +
      'Errors are `application/problem+json` (RFC 9457).',
  },
  paths: { ...accountPaths, ...productPaths, ...uploadPaths, ...servicePaths },
  components: {
    schemas,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      session: { type: 'apiKey', in: 'cookie', name: 'outpost.sid' },
    },
  },
}

/** GET /openapi.json */
export function openapiRoutes(): Router {
  const router = Router()
  router.get('/openapi.json', (_request, response) => {
    response.set('Cache-Control', 'no-cache').json(openapi)
  })
  return router
}
