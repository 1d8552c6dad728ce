import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
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
        const directory = t.testdir()
        const client = await clientKind.connect(server, directory)
        const bucket = `contract-${clientKind.name.replace(' ', '-')}`
        const large = randomBytes(7 * 1024 * 1024)
        /** Puts these contents under a prefix, and gets them again. */
        const throughStore = async (prefix: string, contents: Readonly<Record<string, string | Buffer>>) => {
          const [to, from] = [await mkdtemp(join(directory, 'to-')), await mkdtemp(join(directory, 'from-'))]
          for (const [name, content] of Object.entries(contents)) await writeFile(join(to, name), content)
          await client.putAll(bucket, prefix, to)
          await client.getAll(bucket, prefix, from)
          return Promise.all(Object.keys(contents).map(name => readFile(join(from, name))))
        }

        await t.test('a bucket that was made is listed', async t => {
          await client.makeBucket(bucket)
          t.ok((await client.buckets()).includes(bucket))
        })

        await t.test('an object comes back as it was put: empty, small, and of several parts', async t => {
          const files = { 'empty.bin': '', 'small.txt': 'hello', 'large.bin': large }
          const [empty, small, several] = await throughStore('', files)
          t.equal(empty?.length, 0)
          t.equal(String(small), 'hello')
          t.ok(several?.equals(large))
        })

        await t.test('keys stay apart, however they are written', async t => {
          const names = ['a b+c%20d.txt', 'ü-ß-日本-😀.txt', "q&<x>'(1)!$,;=@.txt", 'a.txt', 'A.txt']
          const contents = names.map(name => `content of ${name}`)
          const got = await throughStore('odd/', Object.fromEntries(names.map((name, i) => [name, contents[i] ?? ''])))
          t.same(got.map(String), contents)
          const keys = names.map(name => `odd/${name}`)
          t.same(await client.list(bucket, 'odd/'), [...keys].sort())
          await client.remove(bucket, keys)
          t.same(await client.list(bucket, 'odd/'), [])
        })

        await t.test('an object is replaced by a second put', async t => {
          const second = join(directory, 'second.txt')
          await writeFile(second, 'hello again')
          await client.put(bucket, 'small.txt', second)
          t.equal((await client.get(bucket, 'small.txt')).toString(), 'hello again')
        })

        await t.test('an object is copied, also one of several parts', async t => {
          await client.copy(bucket, 'small.txt', 'copies/small copy.txt')
          await client.copy(bucket, 'large.bin', 'copies/large.bin')
          t.equal((await client.get(bucket, 'copies/small copy.txt')).toString(), 'hello again')
          t.ok((await client.get(bucket, 'copies/large.bin')).equals(large))
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
          await client.remove(bucket, [
            'copies/large.bin',
            'copies/small copy.txt',
            'empty.bin',
            'large.bin',
            'small.txt',
          ])
          await client.removeBucket(bucket)
          t.notOk((await client.buckets()).includes(bucket))
        })
      },
    )
  }
}
