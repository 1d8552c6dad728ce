import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { S3ServerKind } from '../helpers/s3-servers.js'
import { s3Clients } from './s3-clients.js'

/** S3 as other programs implement it: every installed client against a server. */
export async function contractSuite(t: Test, serverKind: S3ServerKind): Promise<void> {
  const server = await serverKind.start(t.testdir())
  t.teardown(() => server.stop())

  for (const clientKind of s3Clients) {
    const noClient = await clientKind.missing()
    await t.test(
      `${clientKind.name} works with the ${serverKind.name} server`,
      { skip: noClient ?? false },
      async t => {
        const directory = t.testdir({ 'empty.bin': '', 'small.txt': 'hello' })
        const client = await clientKind.connect(server, directory)
        const bucket = `contract-${clientKind.name.replace(' ', '-')}`
        const local = (name: string): string => join(directory, name)

        await t.test('a bucket that was made is listed', async t => {
          await client.makeBucket(bucket)
          t.ok((await client.buckets()).includes(bucket))
        })

        await t.test('an object comes back as it was put: empty, small, and of several parts', async t => {
          const large = randomBytes(12 * 1024 * 1024)
          await writeFile(local('large.bin'), large)
          await client.put(bucket, 'empty.bin', local('empty.bin'))
          await client.put(bucket, 'small.txt', local('small.txt'))
          await client.put(bucket, 'large.bin', local('large.bin'))
          t.equal((await client.get(bucket, 'empty.bin')).length, 0)
          t.equal((await client.get(bucket, 'small.txt')).toString(), 'hello')
          t.ok((await client.get(bucket, 'large.bin')).equals(large))
        })

        await t.test('keys stay apart, however they are written', async t => {
          const keys = ['odd/a b+c%20d.txt', 'odd/ü-ß-日本-😀.txt', "odd/q&<x>'(1)!$,;=@.txt", 'odd/a.txt', 'odd/A.txt']
          await mkdir(local('odd'), { recursive: true })
          for (const [index, key] of keys.entries()) {
            await writeFile(local(`odd/${index}`), `content of ${key}`)
            await client.put(bucket, key, local(`odd/${index}`))
          }
          t.same(await client.list(bucket, 'odd/'), [...keys].sort())
          for (const key of keys) t.equal((await client.get(bucket, key)).toString(), `content of ${key}`)
          await client.remove(bucket, keys)
          t.same(await client.list(bucket, 'odd/'), [])
        })

        await t.test('an object is replaced by a second put', async t => {
          await writeFile(local('second.txt'), 'hello again')
          await client.put(bucket, 'small.txt', local('second.txt'))
          t.equal((await client.get(bucket, 'small.txt')).toString(), 'hello again')
        })

        await t.test('an object is copied, also one of several parts', async t => {
          await client.copy(bucket, 'small.txt', 'copies/small copy.txt')
          await client.copy(bucket, 'large.bin', 'copies/large.bin')
          t.equal((await client.get(bucket, 'copies/small copy.txt')).toString(), 'hello again')
          t.ok((await client.get(bucket, 'copies/large.bin')).equals(await client.get(bucket, 'large.bin')))
        })

        await t.test('one level is listed, and all levels', async t => {
          t.same(await client.level(bucket, ''), ['copies/', 'empty.bin', 'large.bin', 'small.txt'])
          t.same(await client.list(bucket, 'copies/'), ['copies/large.bin', 'copies/small copy.txt'])
        })

        await t.test('a missing object is an error', async t => {
          await t.rejects(client.get(bucket, 'missing.txt'))
        })

        await t.test('a bucket is removed when it is empty, and not before', async t => {
          await t.rejects(client.removeBucket(bucket))
          await client.remove(bucket, await client.list(bucket, ''))
          await client.removeBucket(bucket)
          t.notOk((await client.buckets()).includes(bucket))
        })
      },
    )
  }
}
