import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'minio'
import type { S3Server } from '../helpers/s3-servers.js'

const run = promisify(execFile)

/** The calls of an S3 client that the contract needs. */
interface S3Client {
  makeBucket(bucket: string): Promise<unknown>
  removeBucket(bucket: string): Promise<unknown>
  buckets(): Promise<string[]>
  put(bucket: string, key: string, file: string): Promise<unknown>
  /** Puts all files of a folder, each with the prefix and its name for a key. */
  putAll(bucket: string, prefix: string, folder: string): Promise<unknown>
  /** Gets all objects with that prefix into a folder, each as a file of the rest of its key. */
  getAll(bucket: string, prefix: string, folder: string): Promise<unknown>
  /** Rejects when there is no such object. */
  get(bucket: string, key: string): Promise<Buffer>
  copy(bucket: string, from: string, to: string): Promise<unknown>
  /** All keys with that prefix, sorted. */
  list(bucket: string, prefix: string): Promise<string[]>
  /** The names of one level: keys and common prefixes, sorted. */
  level(bucket: string, prefix: string): Promise<string[]>
  remove(bucket: string, keys: readonly string[]): Promise<unknown>
}

export interface S3ClientKind {
  readonly name: string
  missing(): Promise<string | undefined>
  /** `directory` is for the client's own files. */
  connect(server: S3Server, directory: string): Promise<S3Client>
}

/** Clients get no environment, because a proxy or certificates of the machine must not affect these connections. */
function tool(command: string, directory: string) {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: directory, LANG: 'C.UTF-8' }
  return async (...args: string[]): Promise<string> => {
    return (await run(command, args, { env, maxBuffer: 64 * 1024 * 1024 })).stdout
  }
}

async function lacks(command: string): Promise<string | undefined> {
  try {
    await tool(command, '/')('--version')
    return undefined
  } catch {
    return `${command} is not installed (apt-get install ${command})`
  }
}

const minio: S3ClientKind = {
  name: 'minio client',
  missing: () => Promise.resolve(undefined),
  connect: (server, directory) => Promise.resolve(minioClient(connectMinio(server), directory)),
}

export function connectMinio({ port, accessKey, secretKey, region }: S3Server): Client {
  // The smallest part size there is, so that a test's object of 12 MiB has several parts.
  return new Client({ endPoint: '127.0.0.1', port, useSSL: false, accessKey, secretKey, region, partSize: 5 << 20 })
}

function minioClient(client: Client, directory: string): S3Client {
  const list = async (bucket: string, prefix: string, recursive: boolean): Promise<string[]> => {
    const names: string[] = []
    for await (const item of client.listObjectsV2(bucket, prefix, recursive)) {
      const { name, prefix: common } = item as { name?: string; prefix?: string }
      names.push(name ?? common ?? '')
    }
    return names.sort()
  }
  return {
    makeBucket: bucket => client.makeBucket(bucket),
    removeBucket: bucket => client.removeBucket(bucket),
    buckets: async () => (await client.listBuckets()).map(bucket => bucket.name),
    put: (bucket, key, file) => client.fPutObject(bucket, key, file),
    putAll: async (bucket, prefix, folder) => {
      for (const name of await readdir(folder)) await client.fPutObject(bucket, prefix + name, join(folder, name))
    },
    getAll: async (bucket, prefix, folder) => {
      for (const key of await list(bucket, prefix, true)) {
        await client.fGetObject(bucket, key, join(folder, key.slice(prefix.length)))
      }
    },
    get: async (bucket, key) => {
      const file = join(directory, 'got')
      await client.fGetObject(bucket, key, file)
      return readFile(file)
    },
    copy: (bucket, from, to) => client.copyObject(bucket, to, `/${bucket}/${encodeURIComponent(from)}`),
    list: (bucket, prefix) => list(bucket, prefix, true),
    level: (bucket, prefix) => list(bucket, prefix, false),
    remove: (bucket, keys) => client.removeObjects(bucket, [...keys]),
  }
}

const s3cmd: S3ClientKind = {
  name: 's3cmd',
  missing: () => lacks('s3cmd'),
  async connect({ port, accessKey, secretKey, region }, directory) {
    const config = join(directory, 's3cfg')
    const host = `127.0.0.1:${port}`
    const lines = ['[default]', `access_key = ${accessKey}`, `secret_key = ${secretKey}`, `bucket_location = ${region}`]
    lines.push(`host_base = ${host}`, `host_bucket = ${host}`, 'use_https = False', 'multipart_chunk_size_mb = 5')
    await writeFile(config, lines.join('\n'))
    const s3 = tool('s3cmd', directory)
    const call = (...args: string[]): Promise<string> => s3('-c', config, '--no-progress', ...args)
    const list = async (bucket: string, prefix: string, ...options: string[]): Promise<string[]> => {
      const lines = (await call('ls', ...options, `s3://${bucket}/${prefix}`)).split('\n').filter(line => line !== '')
      return lines.map(line => line.slice(line.indexOf(`s3://${bucket}/`) + `s3://${bucket}/`.length)).sort()
    }
    return {
      makeBucket: bucket => call('mb', `s3://${bucket}`),
      removeBucket: bucket => call('rb', `s3://${bucket}`),
      buckets: async () => [...(await call('ls')).matchAll(/s3:\/\/(\S+)/g)].map(match => match[1] ?? ''),
      put: (bucket, key, file) => call('put', file, `s3://${bucket}/${key}`),
      putAll: (bucket, prefix, folder) => call('put', '--recursive', `${folder}/`, `s3://${bucket}/${prefix}`),
      getAll: (bucket, prefix, folder) => call('get', '--recursive', `s3://${bucket}/${prefix}`, `${folder}/`),
      get: async (bucket, key) => {
        const file = join(directory, 'got')
        await call('get', '--force', `s3://${bucket}/${key}`, file)
        return readFile(file)
      },
      copy: (bucket, from, to) => call('cp', `s3://${bucket}/${from}`, `s3://${bucket}/${to}`),
      list: (bucket, prefix) => list(bucket, prefix, '--recursive'),
      level: (bucket, prefix) => list(bucket, prefix),
      remove: (bucket, keys) => call('del', ...keys.map(key => `s3://${bucket}/${key}`)),
    }
  },
}

const rclone: S3ClientKind = {
  name: 'rclone',
  missing: () => lacks('rclone'),
  async connect({ port, accessKey, secretKey, region }, directory) {
    const config = join(directory, 'rclone.conf')
    const lines = ['[s3]', 'type = s3', 'provider = Other', `access_key_id = ${accessKey}`]
    lines.push(`secret_access_key = ${secretKey}`, `endpoint = http://127.0.0.1:${port}`, `region = ${region}`)
    lines.push('upload_cutoff = 5Mi', 'chunk_size = 5Mi', 'copy_cutoff = 6Mi')
    await writeFile(config, lines.join('\n'))
    const rclone = tool('rclone', directory)
    const call = (...args: string[]): Promise<string> => rclone('--config', config, '--retries', '1', ...args)
    const list = async (bucket: string, prefix: string, ...options: string[]): Promise<string[]> => {
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      const names = (await call('lsf', ...options, `s3:${bucket}/${folder}`)).split('\n').filter(name => name !== '')
      return names
        .map(name => folder + name)
        .filter(name => name.startsWith(prefix))
        .sort()
    }
    return {
      makeBucket: bucket => call('mkdir', `s3:${bucket}`),
      removeBucket: bucket => call('rmdir', `s3:${bucket}`),
      buckets: async () => [...(await call('lsd', 's3:')).matchAll(/(\S+)\n/g)].map(match => match[1] ?? ''),
      put: (bucket, key, file) => call('copyto', file, `s3:${bucket}/${key}`),
      putAll: (bucket, prefix, folder) => call('copy', folder, `s3:${bucket}/${prefix}`),
      getAll: (bucket, prefix, folder) => call('copy', `s3:${bucket}/${prefix}`, folder),
      get: async (bucket, key) => {
        const file = join(directory, 'got')
        await writeFile(file, '')
        await call('copyto', '--ignore-times', `s3:${bucket}/${key}`, file)
        await stat(file)
        return readFile(file)
      },
      copy: (bucket, from, to) => call('copyto', `s3:${bucket}/${from}`, `s3:${bucket}/${to}`),
      list: (bucket, prefix) => list(bucket, prefix, '--recursive', '--files-only'),
      level: (bucket, prefix) => list(bucket, prefix),
      remove: async (bucket, keys) => {
        const names = join(directory, 'names')
        await writeFile(names, keys.join('\n'))
        await call('delete', '--files-from-raw', names, `s3:${bucket}`)
      },
    }
  },
}

export const s3Clients: readonly S3ClientKind[] = [minio, s3cmd, rclone]
