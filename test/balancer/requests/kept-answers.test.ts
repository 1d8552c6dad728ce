import { existsSync, readdirSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import t from 'tap'
import { until } from '../../helpers/deadline.js'
import { temporaryFolder } from '../../helpers/harness.js'
import type { AnswerCopy } from '#balancer/transports/transport.js'
import { keptFileName, keptKey, roomIn, type KeptFileName } from '#balancer/requests/kept-file-name.js'
import { KeptAnswers } from '#balancer/requests/kept-answers.js'

const MIB = 1024 ** 2
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

void t.test('only answers that are the same for all are kept', t => {
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

void t.test('only clients that accept a coding of the body get it', t => {
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

void t.test('hosts that clients make up push out no copy of another path', t => {
  const { pass, find, kept } = given({ maxBytes: 45_000, maxBytesOfOne: 10_000, maxCount: 100 })
  for (const url of ['/1', '/2', '/3']) pass(url)
  for (let i = 0; i < 34; i++) pass('/app.js', FOREVER, 'x'.repeat(9_000), { host: `h${i}` })
  t.strictSame(
    ['/1', '/2', '/3'].map(url => find(url)),
    ['body', 'body', 'body'],
  )
  t.equal(kept.size, 3 + 4)
  t.ok(find('/app.js', { host: 'h33' }), 'the last one is there')
  for (let i = 0; i < 12; i++) pass(`/app${i >> 2}.js`, FOREVER, 'x'.repeat(9_000), { host: `h${i % 4}` })
  t.strictSame(
    ['/1', '/2', '/3'].map(url => find(url)),
    ['body', 'body', 'body'],
    'nor with several paths',
  )
  t.end()
})

void t.test('an answer that still passes stays when others ask for it under other hosts', t => {
  const { pass, find } = given({ ...LIMITS, maxCount: 100 })
  for (let i = 0; i < 2; i++) pass('/app.js')
  for (let i = 0; i < 50; i++) pass('/app.js', FOREVER, 'other', { host: `h${i}` })
  t.equal(find('/app.js'), 'body')
  t.end()
})

void t.test('answers that pass at the same time are copied while there is room', t => {
  const { kept, find, clock } = given({ maxBytes: 32 * MIB, maxBytesOfOne: MIB, maxCount: 100 })
  const begin = (url: string): AnswerCopy | undefined =>
    kept.begin({ method: 'GET', url, headers: { host: 'shop' } }, { rawHeaders: FOREVER, headers: {}, rawTrailers: [] })
  const copies = Array.from({ length: 16 }, (_, i) => begin(`/${i}`))
  t.notOk(copies.includes(undefined))
  t.equal(begin('/more'), undefined, 'as many as there may be')
  for (const copy of copies) copy?.add(Buffer.alloc(MIB))
  for (const copy of copies) copy?.end()
  t.equal(kept.size, 8, 'as many bytes as there may be')
  t.equal(find('/7')?.length, MIB)

  for (let i = 0; i < 16; i++) begin(`/slow${i}`)
  t.equal(begin('/again'), undefined)
  clock.now += 10_000
  t.ok(begin('/again'), 'an answer that is slow, or broke off, gives way')
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

void t.test('the folder of all processes stays within its bounds while they save', async t => {
  const folder = `${temporaryFolder(t)}/kept`
  const limits = { maxBytes: 50_000, maxBytesOfOne: 10_000, maxCount: 100 }
  const all = [given(limits, folder), given(limits, folder), given(limits, folder)]
  const bytes = (): number => {
    const sizes = names(folder).map(name => statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.size ?? 0)
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  let most = 0
  const isFull = (): boolean => {
    const now = bytes()
    most = Math.max(most, now)
    return now >= 40_000
  }
  for (let i = 0; i < 30; i++) {
    for (const [at, { pass }] of all.entries()) pass(`/${i}`, FOREVER, 'x'.repeat(4_000), { host: `h${at}` })
    if (i % 5 === 4) await until(isFull, 'the folder to be full')
  }
  for (let i = 0; i < 30; i++) all[0]?.pass('/made-up', FOREVER, 'x', { host: `m${i}` })
  const saved = (): string[] => names(folder).filter(isWhole)
  await until(() => saved().some(name => name.startsWith(keyOf('/made-up', 'm29'))), 'the last to be saved')
  const ofOnePath = saved().filter(name => name.startsWith(keyOf('/made-up', '').slice(0, 24)))
  t.ok(ofOnePath.length <= 4, `${ofOnePath.length} hosts of one path`)
  isFull()
  t.ok(most <= limits.maxBytes, `${most} bytes`)
})

void t.test('an answer that has changed takes the place of its copy in the folder', async t => {
  const folder = `${temporaryFolder(t)}/kept`
  const { pass } = given(LIMITS, folder)
  pass('/a', [...FOREVER, 'ETag', '1'], 'one')
  await until(() => names(folder).some(isWhole), 'one to be saved')
  const [first = ''] = names(folder)
  pass('/a', [...FOREVER, 'ETag', '2'], 'two, and longer')
  await until(() => names(folder).some(name => isWhole(name) && name !== first) && names(folder).length === 1, 'two')
  const other = given(LIMITS, folder)
  await until(() => other.find('/a') !== undefined, 'it to be read')
  t.equal(other.find('/a'), 'two, and longer')
})

void t.test('a copy that another process keeps later is found once a client has asked for it', async t => {
  const folder = `${temporaryFolder(t)}/kept`
  const [one, other] = [given(LIMITS, folder), given(LIMITS, folder)]
  other.kept.useUntil(Infinity)
  t.equal(other.find('/a'), undefined)
  one.pass('/a')
  await until(() => names(folder).some(isWhole), 'it to be saved')
  await until(() => {
    other.clock.now += 1_000
    return other.find('/a') === 'body'
  }, 'it to be read')
})

void t.test('a file that was left half written counts while it is new, and then goes', t => {
  const limits = { maxBytes: 100, maxCount: 3 }
  const part = { ...fileAt('/p', 60, 1_000), file: 'part', isPart: true }
  const [old, newer, added] = [fileAt('/1', 30, 500), fileAt('/2', 20, 900), fileAt('/3', 20, 2_000)]
  t.match(roomIn([part, newer, old], limits, 2_000, added), { remove: [old.file], stay: [newer], fits: true })
  t.match(roomIn([part, newer, old], limits, 61_000, added), { remove: ['part'], stay: [old, newer], fits: true })
  t.match(roomIn([part], limits, 2_000, fileAt('/3', 41, 2_000)), { remove: [], fits: false })
  t.end()
})

function fileAt(url: string, size: number, at: number): KeptFileName {
  return keptFileName(keyOf(url, 'shop'), size, at)
}

function keyOf(url: string, host: string): string {
  return keptKey(` ${url}`, ` ${host} ${url}`)
}

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function isWhole(name: string): boolean {
  return !name.endsWith('.part')
}
