import { readdir } from 'node:fs/promises'
import t from 'tap'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder } from '../../helpers/harness.js'
import { KeptAnswers } from '#balancer/requests/kept-answers.js'

const FOREVER = ['Cache-Control', 'public, max-age=31536000, immutable']

interface Given {
  kept: KeptAnswers
  /** An answer passes. */
  pass: (url: string, rawHeaders?: string[], body?: string, headers?: Record<string, string>) => void
  find: (url: string, headers?: Record<string, string>, method?: string) => string | undefined
  clock: { now: number }
}

const LIMITS = { maxBytes: 100_000, maxBytesOfOne: 10_000, maxCount: 3 }

function given(limits = LIMITS, folder?: string): Given {
  const clock = { now: 1_000 }
  const kept = new KeptAnswers(limits, () => clock.now, folder)
  kept.useUntil(2_000)
  return {
    kept,
    clock,
    pass: (url, rawHeaders = FOREVER, body = 'body', headers = {}) => {
      const request = { method: 'GET', url, headers: { host: 'shop', ...headers } }
      const copy = kept.begin(request, { rawHeaders, headers: {}, rawTrailers: [] })
      copy?.add(Buffer.from(body))
      copy?.end()
    },
    find: (url, headers = {}, method = 'GET') =>
      kept.find({ method, url, headers: { host: 'shop', ...headers } })?.body.toString(),
  }
}

void t.test('an answer that never changes is there for an hour after another release, and not before', t => {
  const { pass, find, clock, kept } = given()
  pass('/app.1a.js')
  t.equal(find('/app.1a.js'), 'body')
  t.equal(find('/app.1a.js', {}, 'HEAD'), 'body')
  t.equal(find('/app.1a.js', {}, 'POST'), undefined)
  t.equal(find('/app.2b.js'), undefined)
  t.equal(find('/app.1a.js', { host: 'other' }), undefined)
  clock.now = 2_000
  t.equal(find('/app.1a.js'), undefined)
  kept.useUntil(3_000)
  t.equal(find('/app.1a.js'), 'body')
  t.end()
})

void t.test('only what is the same for all is kept', t => {
  const { pass, find, kept } = given()
  const not: string[][] = [
    ['Cache-Control', 'public, max-age=31536000'],
    ['Cache-Control', 'max-age=31536000, immutable'],
    ['Cache-Control', 'private, immutable'],
    ['Cache-Control', 'public, no-store, immutable'],
    ['X-Cache-Hints', 'public, immutable'],
    [...FOREVER, 'Set-Cookie', 'a=b'],
    [...FOREVER, 'Vary', 'Cookie'],
    [...FOREVER, 'Vary', '*'],
    [...FOREVER, 'Trailer', 'x'],
  ]
  for (const headers of not) pass('/a', headers)
  pass('/a', FOREVER, 'body', { authorization: 'Bearer x' })
  pass('/a', FOREVER, 'x'.repeat(10_001))
  pass(`/${'a'.repeat(3_000)}`)
  pass('/a?anything')
  const request = { method: 'HEAD', url: '/a', headers: { host: 'shop' } }
  t.equal(kept.begin(request, { rawHeaders: FOREVER, headers: {}, rawTrailers: [] }), undefined)
  t.equal(kept.size, 0)
  pass('/a', ['cache-control', 'Public,Max-Age=1,immutable', 'Vary', 'Accept-Encoding'])
  t.equal(find('/a'), 'body')
  t.end()
})

void t.test('a coding of the body is for those who take it', t => {
  const { pass, find } = given()
  pass('/a', [...FOREVER, 'Vary', 'Accept-Encoding', 'Content-Encoding', 'gzip'], 'zipped')
  t.equal(find('/a', { 'accept-encoding': 'br, gzip;q=0.5' }), 'zipped')
  t.equal(find('/a', { 'accept-encoding': 'br, gzip;q=0' }), undefined)
  t.equal(find('/a'), undefined)
  pass('/a', [...FOREVER, 'Vary', 'Accept-Encoding'], 'plain')
  t.equal(find('/a'), 'plain')
  t.end()
})

void t.test('copies give way to newer ones, by their number and their bytes', t => {
  const { pass, find, kept } = given()
  const tagged = (etag: string): string[] => [...FOREVER, 'ETag', etag]
  for (const url of ['/1', '/2', '/3']) pass(url, tagged(url))
  pass('/1', tagged('/1'), 'the same, and not read again')
  pass('/4', tagged('/4'))
  t.strictSame(
    ['/1', '/2', '/3', '/4'].map(url => find(url)),
    ['body', undefined, 'body', 'body'],
  )
  const small = given({ maxBytes: 2_000, maxBytesOfOne: 1_500, maxCount: 100 })
  small.pass('/1', FOREVER, 'x'.repeat(1_000))
  small.pass('/2', FOREVER, 'x'.repeat(1_000))
  t.strictSame([small.find('/1'), small.kept.size], [undefined, 1])
  t.equal(kept.size, 3)
  t.end()
})

void t.test('an answer that breaks off is not kept', t => {
  const { kept, find } = given()
  const request = { method: 'GET', url: '/a', headers: { host: 'shop' } }
  kept.begin(request, { rawHeaders: FOREVER, headers: {}, rawTrailers: [] })?.add(Buffer.from('half'))
  t.equal(find('/a'), undefined)
  t.end()
})

void t.test('copies in a folder are there for other processes, as many as fit', async t => {
  const folder = `${temporaryFolder(t)}/kept`
  const first = given(LIMITS, folder)
  const zipped = [...FOREVER, 'Vary', 'Accept-Encoding', 'Content-Encoding', 'gzip']
  first.pass('/a', zipped, 'zipped')
  first.pass('/b', FOREVER, 'plain\n\0')
  const files = (): Promise<string[]> => readdir(folder).catch(() => [])
  await until(async () => (await files()).filter(name => !name.includes('.')).length === 2, 'two files')
  const second = given(LIMITS, folder)
  await until(() => second.kept.size === 2, 'both to be read')
  t.equal(second.find('/a', { 'accept-encoding': 'gzip' }), 'zipped')
  t.equal(second.find('/b'), 'plain\n\0')
  const small = given({ ...LIMITS, maxCount: 1 }, folder)
  await until(async () => (await files()).length === 1, 'one to be removed')
  t.ok(small.kept.size <= 1)
})
