import t from 'tap'
import { presign, send, sendRaw } from './signed-request.js'
import { storeWithBucket } from './started-store.js'

void t.test('metadata of a presigned query that no header can carry is refused, not stored', async t => {
  const { endpoint } = await storeWithBucket(t)
  for (const query of [
    { 'X-Amz-Meta-A': 'x\r\nSet-Cookie: y' },
    { 'X-Amz-Meta-A': '\u0001' },
    { 'X-Amz-Meta-A b': 'x' },
    { 'X-Amz-Meta-é': 'x' },
  ]) {
    const put = presign(endpoint, { method: 'PUT', path: '/bucket/key', expires: 60, query })
    t.match(
      await sendRaw(endpoint, 'PUT', put, 'body'),
      { status: 400, code: 'InvalidArgument' },
      JSON.stringify(query),
    )
    const create = presign(endpoint, {
      method: 'POST',
      path: '/bucket/key',
      expires: 60,
      query: { ...query, uploads: '' },
    })
    t.match(await sendRaw(endpoint, 'POST', create), { status: 400, code: 'InvalidArgument' }, 'nor with an upload')
    t.equal((await send(endpoint, { path: '/bucket/key' })).status, 404)
  }
  const query = { 'X-Amz-Meta-A': 'Zoë' }
  const put = presign(endpoint, { method: 'PUT', path: '/bucket/key', expires: 60, query })
  t.equal((await sendRaw(endpoint, 'PUT', put, 'body')).status, 200)
  const { headers } = await send(endpoint, { path: '/bucket/key' })
  t.equal(headers['x-amz-meta-a'], Buffer.from('Zoë').toString('latin1'))
})

void t.test('a list of deletes that can be read in two ways deletes nothing', async t => {
  const { endpoint } = await storeWithBucket(t)
  const keys = ['a', 'b', '\uFFFD']
  for (const key of keys) await send(endpoint, { method: 'PUT', path: `/bucket/${key}`, body: 'x' })
  const lists: Record<string, string | Buffer> = {
    'a second condition': '<Object><Key>a</Key><ETag>*</ETag><ETag>"0"</ETag></Object>',
    'a second key': '<Object><Key>a</Key><Key>b</Key></Object>',
    'an element in a key': '<Object><Key>a<b>c</b></Key></Object>',
    'bytes that are no UTF-8': Buffer.from([...Buffer.from('<Object><Key>'), 0xff, ...Buffer.from('</Key></Object>')]),
  }
  for (const [name, list] of Object.entries(lists)) {
    const body = Buffer.concat([Buffer.from('<Delete>'), Buffer.from(list), Buffer.from('</Delete>')])
    const answer = await send(endpoint, { method: 'POST', path: '/bucket', query: { delete: '' }, body })
    t.match(answer, { status: 400, code: 'MalformedXML' }, name)
  }
  for (const key of keys) t.equal((await send(endpoint, { path: `/bucket/${key}` })).status, 200)
})
