import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { askJson, freePort, untilServing } from '../lib/net.js'
import { newFolder, start, stop } from '../lib/processes.js'
import { familyOf, residentBytes } from '../lib/proc.js'
import { median } from '../lib/stats.js'
import { ratioOf } from '../lib/context.js'

const FILES = 4
const MIB = 2 ** 20
const CREDENTIALS = { username: 'uploader', password: 'a bench has no secrets' }
const CEILING = 'minio client alone'
const GUIDE = "the guide's way, in memory"
/** In memory each file is there twice while it is put together: more than this would need a machine for itself. */
const GUIDE_MAX_BYTES = 256 * MIB

const script = name => fileURLToPath(new URL(name, import.meta.url))
const run = promisify(execFile)

/** Some large files at once, into one and the same object store: how fast, and in how much memory? */
export const uploads = {
  name: 'uploads',
  async run(context) {
    await context.stopFleets()
    const bytes = context.uploadBytes ?? (context.quick ? 4 * MIB : 1024 * MIB)
    const store = await startStore()
    const { endPoint, port, accessKey, secretKey, bucket } = store.storage
    const env = {
      S3_ENDPOINT: `http://${endPoint}:${port}`,
      S3_ACCESS_KEY: accessKey,
      S3_SECRET_KEY: secretKey,
      S3_BUCKET: bucket,
    }
    const starters = new Map([[CEILING, undefined]])
    for (const peer of context.peers.filter(({ name }) => name.startsWith('outpost'))) {
      starters.set(peer.name, async () => peer.start(await context.startOptions({ app: 'built-in', env })))
    }
    starters.set(GUIDE, () => startGuidesWay(store.storage, context.workers))
    const measure = async (name, round) => {
      const figures = await uploadTo(
        starters.get(name),
        store.storage,
        name === GUIDE ? Math.min(bytes, GUIDE_MAX_BYTES) : bytes,
      )
      context.say(
        `  round ${round + 1}  ${name.padEnd(26)} ${figures.mibPerSecond.toFixed(1)} MiB/s` +
          (figures.grewMiB === undefined ? '' : `, a process grew by ${figures.grewMiB.toFixed(0)} MiB`),
      )
      return figures
    }
    const samples = await context.alternate([...starters.keys()], measure, Math.min(context.rounds, 3))
    await store.stop()
    const most = name => Math.max(...samples.get(name).map(({ grewMiB }) => grewMiB ?? 0))
    const share = name => ratioOf(samples, name, CEILING, each => each.mibPerSecond)
    return {
      title: `${FILES} uploads of ${bytes / MIB} MiB at once`,
      columns: [
        { title: 'by', of: name => name },
        {
          title: 'MiB/s (median)',
          right: true,
          of: name => median(samples.get(name).map(each => each.mibPerSecond)).toFixed(1),
        },
        { title: `x ${CEILING}`, right: true, of: name => share(name).toFixed(2) },
        {
          title: 'the process that grew most, MiB',
          right: true,
          of: name => (name === CEILING ? '' : most(name).toFixed(0)),
        },
      ],
      rows: [...samples.keys()],
      goals: ['outpost', 'outpost-mesh']
        .filter(name => samples.has(name))
        .flatMap(name => [
          {
            text: `${name} at least 0.80 x ${CEILING}`,
            found: `${share(name).toFixed(2)} x`,
            reached: share(name) >= 0.8,
          },
          {
            text: `${name}: a process grows by 64 MiB at most`,
            found: `${most(name).toFixed(0)} MiB`,
            reached: most(name) <= 64,
          },
        ]),
      notes: [
        `All of them put into one object store, the one that Outpost embeds, in a process of its own. ${GUIDE} (multer) is ` +
          `given files of ${Math.min(bytes, GUIDE_MAX_BYTES) / MIB} MiB, and runs on bare node:cluster: Nginx as the guide ` +
          'shows it refuses bodies over 1 MiB.',
      ],
      raw: Object.fromEntries(samples),
    }
  },
}

async function uploadTo(starter, storage, bytes) {
  const plan = { files: FILES, bytes }
  if (starter === undefined) return figuresOf(await upload({ ...plan, storage }), bytes)
  const running = await starter()
  try {
    const headers = await signIn(running.origin)
    const watch = watchMemory(running.elders)
    const seconds = await upload({ ...plan, origin: running.origin, headers })
    return { ...figuresOf(seconds, bytes), grewMiB: watch.end() / MIB }
  } finally {
    await running.stop()
  }
}

function figuresOf(seconds, bytes) {
  return { seconds, mibPerSecond: (FILES * bytes) / MIB / seconds }
}

async function upload(plan) {
  const { stdout } = await run(process.execPath, [script('../lib/uploader.js'), JSON.stringify(plan)], {
    timeout: 600_000,
  })
  return JSON.parse(stdout).seconds
}

/** Outpost asks who uploads; the guide's app does not. */
async function signIn(origin) {
  await askJson(origin, '/register', CREDENTIALS)
  const { status, body } = await askJson(origin, '/login', CREDENTIALS)
  return status === 200 ? { authorization: `Bearer ${JSON.parse(body).token}` } : {}
}

const LOOK_MS = 50

/** How much the one process grew that grew most, from now on to its peak. */
function watchMemory(elders) {
  const before = new Map(familyOf(elders).map(pid => [pid, residentBytes([pid])]))
  let most = 0
  const look = () => {
    for (const [pid, bytes] of before) most = Math.max(most, residentBytes([pid]) - bytes)
  }
  const timer = setInterval(look, LOOK_MS)
  return {
    end() {
      clearInterval(timer)
      look()
      return most
    },
  }
}

async function startStore() {
  const port = await freePort()
  const keys = { accessKey: 'bench-access', secretKey: 'bench-secret-key', region: 'us-east-1' }
  const directory = newFolder('store')
  const child = start('store', process.execPath, [
    script('../servers/store.js'),
    JSON.stringify({ directory, port, ...keys }),
  ])
  const { Client } = await import('minio')
  const address = { endPoint: '127.0.0.1', port, useSSL: false, ...keys }
  const client = new Client(address)
  const deadline = performance.now() + 20_000
  while (
    !(await client.makeBucket('bench').then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > deadline)
      throw new Error(`the store does not start: ${fs.readFileSync(child.logFile, 'utf8')}`)
    await sleep(50)
  }
  return { storage: { ...address, bucket: 'bench' }, stop: () => stop(child) }
}

async function startGuidesWay(storage, workers) {
  const port = await freePort()
  const env = { PORT: String(port), BENCH_WORKERS: String(workers), BENCH_STORAGE: JSON.stringify(storage) }
  const child = start('guide-upload', process.execPath, [script('../servers/memory-upload.js')], { env })
  const origin = `http://127.0.0.1:${port}`
  await untilServing(origin, child)
  return { origin, elders: [child.pid], stop: () => stop(child) }
}
