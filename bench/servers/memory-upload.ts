/** The guide's way to take a file: into memory with multer, and from there to the storage. On node:cluster. */
import cluster from 'node:cluster'
import { randomUUID } from 'node:crypto'
import express, { type Request, type RequestHandler } from 'express'
import { Client } from 'minio'
import { createRequire } from 'node:module'
import type { MinioAddress } from '../lib/minio-address.js'
import { benchFolder } from '../lib/paths.js'

/** The part of multer that is used here: it is a package of the bench's own, and has no types. */
interface Multer {
  (options: { storage: object }): { single: (field: string) => RequestHandler }
  memoryStorage: () => object
}

const multer = createRequire(new URL('package.json', benchFolder))('multer') as Multer

if (cluster.isPrimary) {
  for (let i = 0; i < Number(process.env['BENCH_WORKERS']); i += 1) cluster.fork()
} else {
  const { bucket, ...storage } = JSON.parse(process.env['BENCH_STORAGE'] ?? '') as MinioAddress
  const client = new Client(storage)
  const upload = multer({ storage: multer.memoryStorage() })
  const app = express()
  app.get('/health', (_request, response) => response.send('OK'))
  app.post('/upload', upload.single('file'), async (request, response) => {
    const key = `uploads/${randomUUID()}`
    await client.putObject(bucket, key, (request as Request & { file: { buffer: Buffer } }).file.buffer)
    response.status(201).json({ key })
  })
  app.listen(Number(process.env['PORT']), '127.0.0.1')
}
