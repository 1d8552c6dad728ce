import { Router } from 'express'
import { openapi } from './app-openapi.js'

/** GET /openapi.json */
export function openapiRoutes(): Router {
  const router = Router()
  router.get('/openapi.json', (_request, response) => {
    response.set('Cache-Control', 'no-cache').json(openapi)
  })
  return router
}
