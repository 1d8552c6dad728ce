import { execFile } from 'node:child_process'
import fs from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as z from 'zod'
import { jsonOf } from '#scripts/lib/http-client.js'
import { familyOf, residentBytes } from '#scripts/lib/proc.js'
import { oursIn, ratioOf } from '../lib/context.js'
import { entry } from '../lib/entry.js'
import { freePort } from '#scripts/lib/free-port.js'
import { post } from '../lib/net.js'
import { script } from '../lib/paths.js'
import { newFolder, start, stop } from '../lib/processes.js'
import { numbers, tableOf } from '../lib/report.js'
import { median } from '../lib/stats.js'
import type { MinioAddress } from '../lib/minio-address.js'
import type { UploadPlan } from '../lib/uploader.js'
import type { Running, StartOptions } from '../peers/peer.js'
import { servingAt } from '../peers/serve.js'
import type { Workload } from './workload.js'

const FILES = 4
const MIB = 2 ** 20
const CREDENTIALS = { username: 'uploader', password: 'a bench has no secrets' }
const CEILING = 'minio client alone'
const GUIDE = "the guide's way, in memory"
/** The way in memory holds each file twice while it is assembled. Larger files would need a machine of their own. */
const GUIDE_MAX_BYTES = 256 * MIB

const run = promisify(execFile)

type Starter = () => Promise<Running>

interface Sample {
  seconds: number
  mibPerSecond: number
  /** Growth of the process that grew most. */
  grewMiB?: number
}

/** Speed and memory of simultaneous uploads of large files to one object store. */
export const uploads: Workload = {
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
      // One account uploads the files of all rounds.
      UPLOAD_QUOTA_BYTES: '1T',
    }
    const starters = new Map<string, Starter | undefined>([[CEILING, undefined]])
    for (const peer of context.ours) {
      starters.set(peer.name, async () => peer.start(await context.startOptions({ app: 'built-in', env })))
    }
    starters.set(GUIDE, async () => startGuidesWay(store.storage, await context.startOptions()))
    const measure = async (name: string, round: number): Promise<Sample> => {
      const figures = await uploadTo(
        starters.get(name),
        store.storage,
        name === GUIDE ? Math.min(bytes, GUIDE_MAX_BYTES) : bytes,
      )
      context.sayRound(
        round,
        name,
        `${figures.mibPerSecond.toFixed(1)} MiB/s` +
          (figures.grewMiB === undefined ? '' : `, a process grew by ${figures.grewMiB.toFixed(0)} MiB`),
      )
      return figures
    }
    const samples = await context.alternate([...starters.keys()], measure, Math.min(context.rounds, 3))
    await store.stop()
    const most = (name: string): number => Math.max(...entry(samples, name).map(({ grewMiB }) => grewMiB ?? 0))
    const share = (name: string): number => ratioOf(samples, name, CEILING, each => each.mibPerSecond) ?? Number.NaN
    return {
      title: `${FILES} uploads of ${bytes / MIB} MiB at once`,
      table: tableOf<string>(
        [
          { title: 'by', of: name => name },
          numbers('MiB/s (median)', name => median(entry(samples, name).map(each => each.mibPerSecond)), 1),
          numbers(`x ${CEILING}`, share, 2),
          {
            title: 'the process that grew most, MiB',
            right: true,
            of: name => (name === CEILING ? '' : most(name).toFixed(0)),
          },
        ],
        [...samples.keys()],
      ),
      goals: oursIn(samples).flatMap(name => [
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
        'All of them send to one object store, the one that Outpost embeds, in a process of its own. The files for ' +
          `"${GUIDE}" (multer) have ${Math.min(bytes, GUIDE_MAX_BYTES) / MIB} MiB. It runs on bare node:cluster, because ` +
          "the guide's Nginx refuses bodies over 1 MiB.",
      ],
      raw: Object.fromEntries(samples),
    }
  },
}

async function uploadTo(starter: Starter | undefined, storage: MinioAddress, bytes: number): Promise<Sample> {
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

function figuresOf(seconds: number, bytes: number): Sample {
  return { seconds, mibPerSecond: (FILES * bytes) / MIB / seconds }
}

async function upload(plan: UploadPlan): Promise<number> {
  const args = [script('lib/uploader.js'), JSON.stringify(plan)]
  const { stdout } = await run(process.execPath, args, { timeout: 600_000 })
  return z.object({ seconds: z.number() }).parse(JSON.parse(stdout)).seconds
}

/** Outpost accepts uploads of signed-in users only. The guide's app accepts any. */
async function signIn(origin: string): Promise<Record<string, string>> {
  await post(origin, '/register', CREDENTIALS)
  const answer = await post(origin, '/login', CREDENTIALS)
  return answer.status === 200 ? { authorization: `Bearer ${String(jsonOf(answer)['token'])}` } : {}
}

const LOOK_MS = 50

/** Growth of the process that grows most, in bytes from now to its peak. */
function watchMemory(elders: readonly number[]): { end: () => number } {
  const before = new Map(familyOf(elders).map(pid => [pid, residentBytes([pid])]))
  let most = 0
  const look = (): void => {
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

async function startStore(): Promise<{ storage: MinioAddress; stop: () => Promise<void> }> {
  const port = await freePort()
  const keys = { accessKey: 'bench-access', secretKey: 'bench-secret-key', region: 'us-east-1' }
  const directory = newFolder('store')
  const started = start('store', process.execPath, [
    script('servers/store.js'),
    JSON.stringify({ directory, port, ...keys }),
  ])
  const { Client } = await import('minio')
  const address = { endPoint: '127.0.0.1', port, useSSL: false, ...keys }
  const client = new Client(address)
  const deadline = performance.now() + 20_000
  const answers = (): Promise<boolean> =>
    client.makeBucket('bench').then(
      () => true,
      () => false,
    )
  while (!(await answers())) {
    if (performance.now() > deadline)
      throw new Error(`the store did not start: ${fs.readFileSync(started.logFile, 'utf8')}`)
    await sleep(50)
  }
  return { storage: { ...address, bucket: 'bench' }, stop: () => stop(started) }
}

async function startGuidesWay(storage: MinioAddress, { workers, node }: StartOptions): Promise<Running> {
  const port = await freePort()
  const env = { PORT: String(port), BENCH_WORKERS: String(workers), BENCH_STORAGE: JSON.stringify(storage) }
  return servingAt(port, start('guide-upload', node, [script('servers/memory-upload.js')], env))
}
