import t from 'tap'
import { ObjectStore } from '#src/object-store/object-store.js'
import { ask, bearer, jsonOf, member } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { form, sendForm } from '../helpers/forms.js'
import { temporaryFolder } from '../helpers/harness.js'
import { RedisServer } from '../helpers/redis-server.js'

void t.test('two Outposts that share a Redis and a storage are one service', async t => {
  const redis = await RedisServer.start(t)
  const keys = { accessKey: 'outpost-test', secretKey: 'outpost-test-secret', region: 'us-east-1' }
  const store = new ObjectStore({ ...keys, directory: temporaryFolder(t), port: 0 })
  const { port } = await store.start()
  t.teardown(() => store.stop())
  const env = {
    REDIS_URL: redis.url,
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    S3_ACCESS_KEY: keys.accessKey,
    S3_SECRET_KEY: keys.secretKey,
    SESSION_SECRET: 'the same for both, and long enough to be one',
    RATE_LIMIT_MAX: '0',
  }
  const one = await Cluster.start(t, { ...env, BALANCERS: '1' })
  const two = await Cluster.start(t, { ...env, BALANCERS: '0' })
  const bases = [one.url, two.url] as const
  for (const cluster of [one, two]) await cluster.ready()
  const person = await member(one.url)

  await t.test('a file that is uploaded at one can be read and deleted at the other', async t => {
    const content = Buffer.alloc(6 * 1024 ** 2, 'shared')
    const { url } = jsonOf(await sendForm(one.url, form({ name: 'file', filename: 'x', content }), person))
    t.ok((await ask(two.url, String(url))).body.equals(content))
    const removed = await ask(two.url, String(url), { method: 'DELETE', headers: bearer(person.token) })
    t.equal(removed.status, 204)
    t.equal((await ask(one.url, String(url))).status, 404)
  })

  await t.test('a product that is written at one is read at the other at once', async t => {
    for (let price = 0; price < 20; price++) {
      const [writer, reader] = price % 2 === 0 ? bases : [two.url, one.url]
      const json = { name: 'Tea', price }
      const put = await ask(writer, '/products/tea', { method: 'PUT', json, headers: bearer(person.token) })
      t.equal(put.status, 200, put.text)
      const found = await ask(reader, '/products/tea')
      t.equal(jsonOf(found)['price'], price)
      t.equal(found.headers['x-cache'], 'HIT')
    }
  })

  await t.test('one of a hundred readers at both loads a product', async t => {
    await Promise.all(
      bases.map(base => until(async () => (await ask(base, '/products/none')).status === 404, 'an answer')),
    )
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(bases[i % 2]!, '/products/cold')))
    t.ok(answers.every(({ status }) => status === 404))
    t.equal(answers.filter(({ headers }) => headers['x-cache'] === 'MISS').length, 1)
  })
})
