import type { Test } from 'tap'
import { ask, bearer, jsonOf, member, type Answer } from '../../helpers/client.js'
import { StorageView, storageAddressOf } from '../../helpers/cluster-storage.js'
import type { Cluster } from '../../helpers/cluster.js'

/** The promises of products, on a cluster of any mode without a rate limit. */
export async function productSuite(t: Test, cluster: Cluster, workers: number): Promise<void> {
  const base = cluster.url
  const { token } = await member(base)
  await cluster.ready()
  const view = new StorageView(t, storageAddressOf(cluster))
  const get = (id: string) => ask(base, `/products/${id}`)
  const put = (id: string, json: unknown) =>
    ask(base, `/products/${id}`, { method: 'PUT', json, headers: bearer(token) })

  await t.test('a missing product is 404, and that is cached for a moment', async t => {
    const first = await get('tea')
    t.match(jsonOf(first), { status: 404, code: 'NOT_FOUND' })
    t.equal(first.headers['x-cache'], 'MISS')
    t.equal((await get('tea')).headers['x-cache'], 'HIT')
  })

  await t.test('a product that was put can be read at every worker', async t => {
    const answer = await put('tea', { name: 'Grüner Tee', price: 499, extra: 'ignored' })
    t.equal(answer.status, 200, answer.text)
    const product = jsonOf(answer)
    t.match(product, { id: 'tea', name: 'Grüner Tee', price: 499, updatedAt: /^\d{4}-\d\d-\d\dT/ })
    t.notOk('extra' in product)
    const seen = new Set<unknown>()
    for (let i = 0; i < 3 * workers; i++) {
      const found = await get('tea')
      t.strictSame(jsonOf(found), product)
      t.equal(found.headers['x-cache'], 'HIT')
      seen.add(found.headers['x-outpost-worker'])
    }
    t.equal(seen.size, workers)
    t.strictSame(await view.storage.getJson('products/tea.json'), product)
  })

  await t.test('every reader sees a write as soon as it is answered', async t => {
    let written = 0
    const reading = { on: true }
    const stale: string[] = []
    const reader = async (): Promise<void> => {
      while (reading.on) {
        const atLeast = written
        const { text } = await get('counter')
        const { price } = JSON.parse(text) as { price?: number }
        if ((price ?? 0) < atLeast) stale.push(`${String(price)} after ${atLeast}`)
      }
    }
    const readers = Array.from({ length: 4 }, reader)
    for (let price = 1; price <= 20; price++) {
      t.equal((await put('counter', { name: 'n', price })).status, 200)
      written = price
    }
    reading.on = false
    await Promise.all(readers)
    t.strictSame(stale, [])
  })

  await t.test('after simultaneous writes, storage and cache hold the same value', async t => {
    for (let round = 0; round < 5; round++) {
      const prices = Array.from({ length: 8 }, (_, i) => round * 100 + i)
      const answers = await Promise.all(prices.map(price => put('fought', { name: 'n', price })))
      t.ok(answers.every(({ status }) => status === 200))
      t.strictSame(jsonOf(await get('fought')), await view.storage.getJson('products/fought.json'))
    }
  })

  await t.test('one of a hundred readers loads a product that is not cached', async t => {
    const product = { id: 'cold', name: 'n', price: 1, updatedAt: new Date().toISOString() }
    await view.storage.putJson('products/cold.json', product)
    const answers = await Promise.all(Array.from({ length: 100 }, () => get('cold')))
    t.ok(answers.every(({ status }) => status === 200))
    t.strictSame(jsonOf(answers[99]!), product)
    t.equal(answers.filter(isMiss).length, 1)
  })

  await t.test('invalid products are refused', async t => {
    t.equal((await ask(base, '/products/tea', { method: 'PUT', json: { name: 'x', price: 1 } })).status, 401)
    for (const id of ['a.b', 'a%20b', '%2e%2e%2fx', 'x'.repeat(65), '%00']) {
      t.equal((await get(id)).status, 400, id)
      t.equal((await put(id, { name: 'x', price: 1 })).status, 400, id)
    }
    const bodies = [
      {},
      null,
      [],
      { name: 'x' },
      { price: 1 },
      { name: '', price: 1 },
      { name: ' ', price: 1 },
      { name: 'x'.repeat(201), price: 1 },
      { name: 1, price: 1 },
      { name: 'x', price: '1' },
      { name: 'x', price: 1.5 },
      { name: 'x', price: -1 },
      { name: 'x', price: 1e300 },
      { name: 'x', price: null },
    ]
    for (const body of bodies) t.equal((await put('bad', body)).status, 400, JSON.stringify(body))
    t.equal((await get('bad')).status, 404)
  })
}

function isMiss({ headers }: Answer): boolean {
  return headers['x-cache'] === 'MISS'
}
