import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Router, type RequestHandler } from 'express'

const FOLDER = fileURLToPath(new URL('../app/page', import.meta.url))

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** GET / and its assets: a few small files in memory. A repeated request is usually a 304. */
export function pageRoutes(folder = FOLDER): Router {
  const router = Router()
  for (const name of readdirSync(folder).filter(name => extname(name) in TYPES)) {
    router.get(name === 'index.html' ? '/' : `/assets/${name}`, pageFile(join(folder, name)))
  }
  return router
}

function pageFile(path: string): RequestHandler {
  const content = readFileSync(path)
  // The hash is of the content, so it is the same at every worker and machine of one version.
  const tag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
  const headers = { 'Content-Type': TYPES[extname(path)], 'Cache-Control': 'no-cache', ETag: tag }
  return function sendPageFile(_request, response) {
    response.set(headers).send(content)
  }
}
