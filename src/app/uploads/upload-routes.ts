import { Router, type RequestHandler } from 'express'
import { ownerOf, type Uploads } from './uploads.js'
import { HttpError } from '../errors.js'
import { sendFile } from './send-file.js'
import { usernameFrom } from '../accounts/require-sign-in.js'
import { UploadForm } from './upload-form.js'

export interface UploadRouteOptions {
  uploads: Uploads
  signedIn: RequestHandler
  /** Larger files are refused. */
  maxBytes: number
}

const KEY = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** POST /upload; GET, HEAD and DELETE /uploads/:key. */
export function uploadRoutes({ uploads, signedIn, maxBytes }: UploadRouteOptions): Router {
  const router = Router()

  router.post('/upload', signedIn, async (request, response) => {
    const form = new UploadForm(request, maxBytes)
    try {
      const owner = usernameFrom(response)
      const { key, ...facts } = await uploads.store(owner, await form.file())
      // The client has left and will never learn the key.
      if (response.closed) return await uploads.remove(owner, key)
      const url = `/uploads/${key}`
      response
        .status(201)
        .location(url)
        .json({ key, url, ...facts })
    } catch (error) {
      form.refuse(error as Error)
      throw error
    }
  })

  // Express answers HEAD by the handler of GET.
  router.get('/uploads/:key', async (request, response) => {
    await sendFile(uploads, keyOf(request.params.key), request, response)
  })

  router.delete('/uploads/:key', signedIn, async (request, response) => {
    const key = keyOf(String(request.params['key']))
    const owner = usernameFrom(response)
    const info = await uploads.stat(key)
    if (info !== undefined && ownerOf(info) !== owner) throw new HttpError('NOT_FOUND')
    if (info === undefined) {
      await uploads.uncount(owner, key)
      throw new HttpError('NOT_FOUND')
    }
    await uploads.remove(owner, key)
    response.status(204).end()
  })

  return router
}

function keyOf(key: string): string {
  if (!KEY.test(key)) throw new HttpError('NOT_FOUND')
  return key
}
