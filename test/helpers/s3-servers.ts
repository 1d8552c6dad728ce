import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ObjectStore } from '#src/object-store/object-store.js'
import { guardScript } from './guards.js'

const run = promisify(execFile)
const INSTALL_MINIO = fileURLToPath(new URL('../../../scripts/install-minio.sh', import.meta.url))

export interface S3Server {
  readonly port: number
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  stop(): Promise<void>
}

export interface S3ServerKind {
  readonly name: 'embedded' | 'minio'
  /** The reason why this server is missing on this machine; undefined if it is there. */
  missing(): Promise<string | undefined>
  /** Starts one on a free loopback port, with its data in the folder. */
  start(directory: string): Promise<S3Server>
}

const credentials = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }

export const embedded: S3ServerKind = {
  name: 'embedded',
  missing: () => Promise.resolve(undefined),
  async start(directory) {
    const store = new ObjectStore({ ...credentials, directory, port: 0 })
    const { port } = await store.start()
    return { ...credentials, port, stop: () => store.stop() }
  },
}

export const minio: S3ServerKind = {
  name: 'minio',
  missing: async () => ((await findMinio()) === undefined ? 'scripts/install-minio.sh finds no minio here' : undefined),
  async start(directory) {
    const binary = await findMinio()
    if (binary === undefined) throw new Error('no minio binary')
    const env = {
      PATH: '/usr/bin:/bin',
      HOME: directory,
      MINIO_ROOT_USER: credentials.accessKey,
      MINIO_ROOT_PASSWORD: credentials.secretKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    }
    const server = [binary, 'server', '--address', '127.0.0.1:0', directory]
    const child = spawn('sh', [guardScript('server-guard'), ...server], { env, stdio: ['pipe', 'pipe', 'ignore'] })
    const closed = once(child, 'close')
    const stop = async (): Promise<void> => {
      child.stdin.end()
      await closed
    }
    for await (const line of createInterface({ input: child.stdout })) {
      const port = Number(/^API: http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? 0)
      if (port === 0) continue
      child.stdout.resume()
      return { ...credentials, port, stop }
    }
    await stop()
    throw new Error('minio ended before it was listening')
  },
}

export const s3Servers: readonly S3ServerKind[] = [embedded, minio]

export async function findMinio(): Promise<string | undefined> {
  try {
    const { stdout } = await run(INSTALL_MINIO, ['--no-build'])
    return stdout.trim().split('\n').at(-1)
  } catch {
    return undefined
  }
}
