import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadFile } from './lib/form-upload.js'
import { ask, jsonOf } from './lib/http-client.js'
import { familyOf, residentBytes, titleOf } from './lib/proc.js'
import { StartedOutpost } from './lib/started-outpost.js'

/**
 * Measures the memory that large files cost. Starts an Outpost, sends it some files at once, fetches them again at
 * once, and watches the resident memory of each of its processes. Exits 1 when a process has grown by more than is
 * allowed, or when a byte has changed on the way.
 *
 *     node dist/scripts/upload-memory.js        4 files of 1 GiB, 64 MiB allowed
 *     FILES=2 FILE_BYTES=104857600 BALANCERS=0 WORKERS=1 node dist/scripts/upload-memory.js
 */
const files = Number(process.env['FILES'] ?? 4)
const fileBytes = Number(process.env['FILE_BYTES'] ?? 1024 ** 3)
const allowedBytes = Number(process.env['ALLOWED_BYTES'] ?? 64 * 1024 ** 2)
const SAMPLE_MS = 50
const BLOCK_BYTES = 1024 ** 2
const NAME_CHARACTERS = 24

/** Peaks of resident memory by process. */
class MemoryWatch {
  readonly first = new Map<number, number>()
  readonly peak = new Map<number, number>()
  readonly names = new Map<number, string>()
  readonly #timer = setInterval(() => this.sample(), SAMPLE_MS)

  constructor(private readonly root: number) {
    this.sample()
  }

  sample(): void {
    for (const pid of familyOf([this.root])) {
      const bytes = residentBytes([pid])
      if (bytes === 0) continue
      if (!this.first.has(pid)) this.first.set(pid, bytes)
      this.names.set(pid, titleOf(pid).slice(0, NAME_CHARACTERS))
      this.peak.set(pid, Math.max(bytes, this.peak.get(pid) ?? 0))
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

async function signIn(url: string): Promise<string> {
  const json = { username: 'memory', password: 'memory-of-uploads' }
  await ask(url, '/register', { json })
  return String(jsonOf(await ask(url, '/login', { json }))['token'])
}

async function upload(url: string, token: string): Promise<{ url: string; sha256: string }> {
  const hash = createHash('sha256')
  const block = randomBytes(BLOCK_BYTES)
  function* content(): Generator<Buffer> {
    for (let left = fileBytes; left > 0; left -= BLOCK_BYTES) {
      const piece = block.subarray(0, left)
      hash.update(piece)
      yield piece
    }
  }
  const { status, text } = await uploadFile(url, content(), { authorization: `Bearer ${token}` })
  if (status !== 201) throw new Error(`an upload was answered ${status}: ${text}`)
  const stored = JSON.parse(text) as { url: string; sha256: string; size: number }
  if (stored.sha256 !== hash.digest('hex') || stored.size !== fileBytes) throw new Error('a file changed on the way in')
  return stored
}

async function download(url: string, sha256: string): Promise<void> {
  const [response] = (await once(http.get(url, { agent: false }), 'response')) as [http.IncomingMessage]
  const hash = createHash('sha256')
  for await (const chunk of response as AsyncIterable<Buffer>) hash.update(chunk)
  if (hash.digest('hex') !== sha256) throw new Error('a file changed on the way out')
}

function report(watch: MemoryWatch): boolean {
  let good = true
  const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1).padStart(7)
  for (const [pid, peak] of watch.peak) {
    const first = watch.first.get(pid) ?? 0
    const grown = peak - first
    if (grown > allowedBytes) good = false
    const name = (watch.names.get(pid) ?? '').padEnd(NAME_CHARACTERS)
    process.stdout.write(`  ${name} ${mib(first)} MiB at first, ${mib(peak)} at most, grown by ${mib(grown)}\n`)
  }
  return good
}

const outpost = await StartedOutpost.start()
const { url, pid } = outpost
try {
  while ((await ask(url, '/health/ready')).status !== 200) await sleep(50)
  const token = await signIn(url)
  const watch = new MemoryWatch(pid)
  const seconds = async (work: Promise<unknown>): Promise<string> => {
    const from = performance.now()
    await work
    const took = (performance.now() - from) / 1_000
    return `${took.toFixed(1)} s, ${((files * fileBytes) / 1024 ** 2 / took).toFixed(0)} MiB/s`
  }
  process.stdout.write(`${files} files of ${fileBytes} bytes\n`)
  let stored: Array<{ url: string; sha256: string }> = []
  const uploads = Promise.all(Array.from({ length: files }, () => upload(url, token))).then(all => (stored = all))
  process.stdout.write(`sent in ${await seconds(uploads)}\n`)
  const downloads = Promise.all(stored.map(file => download(url + file.url, file.sha256)))
  process.stdout.write(`fetched in ${await seconds(downloads)}\n`)
  watch.stop()
  if (!report(watch)) process.exitCode = 1
} finally {
  await outpost.stop()
}
