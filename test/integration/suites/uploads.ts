import { createHash, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { ask, bearer, jsonOf, member } from '../../helpers/client.js'
import { StorageView, storageAddressOf } from '../../helpers/cluster-storage.js'
import type { Cluster } from '../../helpers/cluster.js'
import { until, within } from '../../helpers/deadline.js'
import { form, FORM_END, partHead, sendForm, UploadRequest, type Part } from '../../helpers/forms.js'

/** The limit that the cluster of this suite is started with. */
export const MAX_BYTES = 12 * 1024 ** 2
const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const OCTETS = 'application/octet-stream'
const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(32)])

/** The promises of uploads, on a cluster of any mode with `MAX_BYTES` and no rate limit. */
export async function uploadSuite(t: Test, cluster: Cluster, workers: number): Promise<void> {
  const base = cluster.url
  const { token } = await member(base)
  const view = new StorageView(t, storageAddressOf(cluster))
  await cluster.ready()
  const send = (...parts: Part[]) => sendForm(base, form(...parts), { token })
  const before = cluster.supervision()

  await filesComeBack(t, cluster, token)

  await t.test('ranges, conditions and headers of a file are served', async t => {
    const content = randomBytes(6 * 1024 ** 2)
    const url = String(
      jsonOf(await send({ name: 'file', filename: 'é \\"x\\".txt', type: 'text/plain', content }))['url'],
    )
    const head = await ask(base, url, { method: 'HEAD' })
    t.equal(head.status, 200)
    t.equal(head.headers['content-length'], String(content.length))
    t.equal(head.headers['content-type'], 'text/plain')
    t.equal(head.headers['x-content-type-options'], 'nosniff')
    t.equal(
      head.headers['content-disposition'],
      `attachment; filename="_ _x_.txt"; filename*=UTF-8''%C3%A9%20%22x%22.txt`,
    )
    const ranges: Array<[string, number, number]> = [
      ['bytes=0-0', 0, 1],
      ['bytes=5242879-5242880', 5_242_879, 5_242_881],
      ['bytes=6291400-', 6_291_400, content.length],
      ['bytes=-7', content.length - 7, content.length],
      ['bytes=6291455-99999999', 6_291_455, content.length],
    ]
    for (const [range, start, end] of ranges) {
      const { status, headers, body } = await ask(base, url, { headers: { range } })
      t.equal(status, 206, range)
      t.equal(headers['content-range'], `bytes ${start}-${end - 1}/${content.length}`)
      t.ok(body.equals(content.subarray(start, end)), range)
    }
    const outside = await ask(base, url, { headers: { range: `bytes=${content.length}-` } })
    t.equal(outside.status, 416)
    t.equal(outside.headers['content-range'], `bytes */${content.length}`)
    for (const range of ['bytes=a-b', 'lines=1-2', 'bytes=0-1,4-5']) {
      t.equal((await ask(base, url, { headers: { range } })).status, 200, range)
    }
    const { etag } = head.headers
    const unchanged = await ask(base, url, { headers: { 'if-none-match': String(etag) } })
    t.equal(unchanged.status, 304)
    t.equal(unchanged.body.length, 0)
    t.equal((await ask(base, url, { headers: { 'if-none-match': '"another"' } })).status, 200)
    t.equal((await ask(base, url, { headers: { range: 'bytes=0-1', 'if-range': String(etag) } })).status, 206)
    t.equal((await ask(base, url, { headers: { range: 'bytes=0-1', 'if-range': '"another"' } })).status, 200)
  })

  await t.test('only real images are shown in place', async t => {
    const cases: Array<[content: Buffer | string, type: string, served: string, shown: boolean]> = [
      [PNG, 'image/png', 'image/png', true],
      [PNG, 'text/html', 'image/png', true],
      ['<script>alert(1)</script>', 'image/png', 'application/octet-stream', false],
      [
        '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        'image/svg+xml',
        'application/octet-stream',
        false,
      ],
      ['<html></html>', 'text/html', 'application/octet-stream', false],
      ['{}', 'application/json', 'application/json', false],
    ]
    for (const [content, type, served, shown] of cases) {
      const url = String(jsonOf(await send({ name: 'file', filename: 'x', type, content }))['url'])
      const { headers } = await ask(base, url)
      t.equal(headers['content-type'], served)
      t.match(headers['content-disposition'], shown ? /^inline/ : /^attachment/)
      t.equal(headers['x-content-type-options'], 'nosniff')
    }
  })

  await t.test('only the owner may delete a file', async t => {
    const other = await member(base)
    const url = String(jsonOf(await send({ name: 'file', filename: 'x', content: 'mine' }))['url'])
    const remove = (headers = {}) => ask(base, url, { method: 'DELETE', headers })
    t.equal((await remove()).status, 401)
    t.equal((await remove(bearer(other.token))).status, 404)
    t.equal((await ask(base, url)).status, 200)
    t.equal((await remove(bearer(token))).status, 204)
    t.equal((await ask(base, url)).status, 404)
    t.equal((await remove(bearer(token))).status, 404)
    for (const path of ['/uploads/x', '/uploads/..%2fproducts', `/uploads/${'a'.repeat(500)}`]) {
      t.equal((await ask(base, path)).status, 404, path)
    }
  })

  await t.test('malformed forms are refused and leave no file', async t => {
    const there = await view.keys()
    const file = { name: 'file', filename: 'x', content: 'x' }
    const type = 'multipart/form-data'
    const whole = form(file)
    const big = { name: 'file', filename: 'x', content: Buffer.alloc(MAX_BYTES + 1) }
    const cases: Array<[what: string, status: number, body: Buffer, headers?: Record<string, string>]> = [
      ['no file', 400, form({ name: 'other', content: 'x' })],
      ['no part at all', 400, form()],
      ['nothing', 400, Buffer.alloc(0)],
      ['two files', 400, form(file, file)],
      ['two large files', 400, form({ ...file, content: Buffer.alloc(6 * 1024 ** 2) }, file)],
      ['another field', 400, form({ ...file, name: 'photo' })],
      ['an empty name of the file', 400, form({ ...file, name: '' })],
      ['an empty name of a field', 400, form({ name: '', content: 'x' }, file)],
      ['no name', 400, form({ filename: 'x', content: 'x' })],
      ['no boundary', 400, whole, { 'content-type': type }],
      ['an empty boundary', 400, whole, { 'content-type': `${type}; boundary=` }],
      ['another boundary', 400, whole, { 'content-type': `${type}; boundary=another` }],
      ['cut short in the file', 400, whole.subarray(0, -40)],
      ['cut short in a larger file', 400, form({ ...big, content: Buffer.alloc(100_000) }).subarray(0, 50_000)],
      ['cut short in a file of several parts', 400, form(big).subarray(0, 7 * 1024 ** 2)],
      ['cut short in the end', 400, whole.subarray(0, -4)],
      ['cut short after a whole part', 400, form({ ...big, content: Buffer.alloc(6 * 1024 ** 2) }).subarray(0, -4)],
      ['a header that is none', 400, Buffer.from(whole.toString().replace('Content-Disposition:', ':'))],
      ['NUL in a name', 400, form({ ...file, filename: 'a\0b' })],
      ['a line break in a name', 400, form({ ...file, filename: 'a\nX: b' })],
      ['what a browser sends when no file was chosen', 400, form({ ...file, filename: '', type: OCTETS, content: '' })],
      ['one byte too many', 413, form(big)],
      ['1,001 parts', 413, form(file, ...Array.from({ length: 1_000 }, (_, i) => ({ name: `f${i}`, content: '' })))],
      ['a field that is too long', 413, form({ name: 'note', content: Buffer.alloc(100_000) }, file)],
      ['no form', 415, Buffer.from('{}'), { 'content-type': 'text/plain' }],
      ['another kind of form', 415, Buffer.from('file=x'), { 'content-type': 'application/x-www-form-urlencoded' }],
    ]
    for (const [what, status, body, headers = {}] of cases) {
      const answer = await sendForm(base, body, { token, headers })
      t.equal(answer.status, status, `${what}: ${answer.text}`)
      t.equal((await ask(base, '/health')).status, 200)
    }
    t.equal((await sendForm(base, whole, {})).status, 401)
    t.strictSame(await view.keys(), there)
    t.strictSame(await view.incomplete(), [])
  })

  await t.test('a file of exactly the limit is stored, and file names are only data', async t => {
    t.equal((await send({ name: 'file', filename: 'x', content: Buffer.alloc(MAX_BYTES) })).status, 201)
    t.equal((await send({ name: 'a', content: 'x' }, { name: 'file', filename: 'x', content: 'x' })).status, 201)
    t.equal((await send({ name: 'file', filename: 'x', content: 'x' }, { name: 'a', content: 'x' })).status, 201)
    for (const filename of ['../../x', '%00', 'x'.repeat(5_000), 'é'.repeat(3_000), '\\r\\nX-Bad: 1']) {
      const answer = await send({ name: 'file', filename, content: 'x' })
      t.equal(answer.status, 201, answer.text)
      t.match(jsonOf(answer)['key'], KEY)
      const fetched = await ask(base, String(jsonOf(answer)['url']))
      t.equal(fetched.status, 200)
      t.notOk('x-bad' in fetched.headers)
    }
  })

  await t.test('an upload that breaks off leaves no file', async t => {
    const there = await view.keys()
    for (const breakOff of [
      (upload: UploadRequest) => upload.request.destroy(),
      (upload: UploadRequest) => upload.request.socket?.resetAndDestroy(),
    ]) {
      const upload = new UploadRequest(base, { token })
      await upload.write(partHead({ name: 'file', filename: 'x' }))
      await upload.write(Buffer.alloc(6 * 1024 ** 2))
      await view.hasIncomplete(1)
      breakOff(upload)
      await t.rejects(upload.answer)
      await view.hasIncomplete(0)
    }
    t.strictSame(await view.keys(), there)
  })

  await t.test('a chunked upload that is too large is refused while it is sent', async t => {
    const upload = new UploadRequest(base, { token })
    await upload.write(partHead({ name: 'file', filename: 'x' }))
    const block = Buffer.alloc(1024 ** 2)
    for (let sent = 0; sent <= MAX_BYTES; sent += block.length) upload.request.write(block)
    const answer = await within(upload.answer, 'an answer before the end', 20_000)
    t.equal(answer.status, 413)
    upload.request.destroy()
    await view.hasIncomplete(0)
  })

  await t.test('simultaneous uploads do not mix', async t => {
    const contents = Array.from({ length: 24 }, (_, i) => Buffer.alloc(300_000, String.fromCharCode(65 + i)))
    const answers = await Promise.all(contents.map(content => send({ name: 'file', filename: 'x', content })))
    for (const [index, answer] of answers.entries()) {
      t.equal(answer.status, 201, answer.text)
      t.ok((await ask(base, String(jsonOf(answer)['url']))).body.equals(contents[index]!))
    }
  })

  await t.test('a worker that is killed during an upload leaves no visible file', async t => {
    const there = await view.keys()
    const uploads = Array.from({ length: 4 }, () => new UploadRequest(base, { token }))
    for (const upload of uploads) {
      await upload.write(partHead({ name: 'file', filename: 'x' }))
      await upload.write(Buffer.alloc(6 * 1024 ** 2))
    }
    await view.hasIncomplete(4)
    const killed = cluster.kill('worker')
    await cluster.has('worker', workers, [killed])
    for (const upload of uploads) upload.request.end(FORM_END)
    const endings = await Promise.all(
      uploads.map(({ answer }) =>
        answer.then(
          ({ status }) => status,
          () => 0,
        ),
      ),
    )
    t.ok(
      endings.every(status => [0, 201, 502].includes(status)),
      String(endings),
    )
    t.equal((await view.keys()).length - there.length, endings.filter(status => status === 201).length)
    await until(
      async () => (await send({ name: 'file', filename: 'x', content: 'x' })).status === 201,
      'uploads to work',
    )
  })

  t.equal(cluster.pids('balancer')[0], before.balancer[0])
  t.equal(cluster.pids('primary')[0], before.primary[0])
}

/** The part that depends on the mode: bodies in both directions. @param token of an account */
export async function filesComeBack(t: Test, cluster: Cluster, token: string): Promise<void> {
  await t.test('every worker returns a file unchanged, in one part or in several', async t => {
    const base = cluster.url
    for (const size of [0, 1, 1_000, 5 * 1024 ** 2, 5 * 1024 ** 2 + 1, 11 * 1024 ** 2]) {
      const content = randomBytes(size)
      const file = form({ name: 'file', filename: 'data.bin', type: OCTETS, content })
      const answer = await sendForm(base, file, { token })
      t.equal(answer.status, 201, answer.text)
      const { key, url, ...facts } = jsonOf(answer)
      t.match(key, KEY)
      t.equal(url, `/uploads/${String(key)}`)
      const sha256 = createHash('sha256').update(content).digest('hex')
      t.strictSame(facts, { size, sha256, contentType: OCTETS })
      for (let i = 0; i < 2; i++) {
        const fetched = await ask(base, String(url))
        t.equal(fetched.status, 200)
        t.ok(fetched.body.equals(content), `${size} bytes`)
        t.equal(fetched.headers['content-length'], String(size))
      }
    }
  })
}
