import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { element, send, type Endpoint } from './signed-request.js'

t.setTimeout(120_000)
const PROGRAM = fileURLToPath(new URL('store-process.js', import.meta.url))
const credentials = { accessKey: 'key', secretKey: 'secret', region: 'us-east-1' }
const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`)
const PARTS = '/bucket/parts'

async function startProcess(directory: string): Promise<{ child: ChildProcess; endpoint: Endpoint }> {
  const options = JSON.stringify({ ...credentials, directory, port: 0 })
  const child = spawn(process.execPath, [PROGRAM, options], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, endpoint: { ...credentials, port: Number(line) } }
}

/** Content whose length differs between versions, so that a mixture of two would be noticed. */
function bodyOf(key: string, version: number): Buffer {
  return Buffer.alloc(20_000 + ((version * 7919) % 200_000), `${key} version ${version};`)
}

void t.test('a store killed while writing has every acknowledged version or a later one, whole', async t => {
  const directory = t.testdir()
  const acknowledged = new Map<string, number>()
  const attempted = new Map<string, number>()
  const acknowledgedParts = new Map<number, string>()
  let uploadId = ''

  for (let round = 0; round < 4; round++) {
    const { child, endpoint } = await startProcess(directory)
    const died = once(child, 'exit')
    if (round === 0) {
      await send(endpoint, { method: 'PUT', path: '/bucket' })
      const created = await send(endpoint, { method: 'POST', path: PARTS, query: { uploads: '' } })
      uploadId = element(created.text, 'UploadId') ?? ''
    }

    t.same(await readdir(join(directory, 'temp')), [], 'no litter')
    for (const key of KEYS) {
      const { status, body, headers } = await send(endpoint, { path: `/bucket/${key}` })
      const least = acknowledged.get(key) ?? 0
      if (status === 404) {
        t.equal(least, 0, `${key} was never acknowledged`)
        continue
      }
      const version = Number(headers['x-amz-meta-version'])
      t.ok(version >= least && version <= (attempted.get(key) ?? 0), `${key} is at ${version}, not before ${least}`)
      t.ok(body.equals(bodyOf(key, version)), `${key} is whole`)
      t.equal(headers.etag, `"${createHash('md5').update(body).digest('hex')}"`)
      acknowledged.set(key, version)
    }
    const listed = await send(endpoint, { path: PARTS, query: { uploadId } })
    for (const etag of acknowledgedParts.values()) t.match(listed.text, etag.replaceAll('"', '&quot;'))

    let count = 0
    const write = async (key: string): Promise<void> => {
      for (let version = (attempted.get(key) ?? 0) + 1; ; version++) {
        attempted.set(key, version)
        const headers = { 'x-amz-meta-version': String(version) }
        await send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body: bodyOf(key, version), headers })
        acknowledged.set(key, version)
        if (++count === 60) child.kill('SIGKILL')
      }
    }
    const writeParts = async (): Promise<void> => {
      for (let partNumber = acknowledgedParts.size + 1; ; partNumber++) {
        const query = { uploadId, partNumber: String(partNumber) }
        const part = await send(endpoint, { method: 'PUT', path: PARTS, query, body: bodyOf('part', partNumber) })
        acknowledgedParts.set(partNumber, part.headers.etag ?? '')
      }
    }
    const writers = await Promise.allSettled([...KEYS.map(write), writeParts()])
    t.ok(writers.every(writer => writer.status === 'rejected'))
    await died
  }
})
