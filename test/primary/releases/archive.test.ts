import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { Header } from 'tar'
import { ArchiveError, unpack, type ArchiveLimits, type Unpacked } from '#src/primary/releases/archive.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

interface Entry {
  path: string
  type?: string
  text?: string
  linkpath?: string
  mode?: number
  /** The size that the header tells, if it is not that of the text. */
  size?: number
}

/** A tar archive with these entries, however hostile they are. */
function tarOf(...entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = 'File', text = '', linkpath = '', mode = 0o644, size }) => {
    const body = Buffer.from(text)
    const header = new Header({
      path,
      type: type as 'File',
      linkpath,
      mode,
      size: size ?? body.length,
      mtime: new Date(0),
    })
    const block = Buffer.alloc(512)
    header.encode(block, 0)
    return [block, body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1_024)])
}

const LIMITS = { maxBytes: 1_000_000, maxEntries: 100 }

interface Place {
  folder: string
  /** The file that must stay as it is. */
  outside: string
}

function placeFor(t: Harness): Place {
  const outside = temporaryFolder(t)
  const folder = join(outside, 'app')
  mkdirSync(folder)
  return { folder, outside }
}

function unpacked(folder: string, archive: Buffer, limits: ArchiveLimits = LIMITS): Promise<Unpacked> {
  return unpack(Readable.from([archive]), folder, limits)
}

void t.test('files, folders and links of an archive are unpacked, compressed or not', async t => {
  const archive = tarOf(
    { path: './', type: 'Directory' },
    { path: './bin/run', text: 'run', mode: 0o4755 },
    { path: 'lib/deep/a.js', text: 'a' },
    { path: 'lib/b.js', type: 'SymbolicLink', linkpath: 'deep/a.js' },
    { path: 'copy', type: 'Link', linkpath: './bin/run' },
  )
  for (const each of [archive, gzipSync(archive)]) {
    const { folder } = placeFor(t)
    t.strictSame(await unpacked(folder, each), { files: 3, bytes: 7 })
    t.equal(readFileSync(join(folder, 'lib/b.js'), 'utf8'), 'a')
    t.equal(readFileSync(join(folder, 'copy'), 'utf8'), 'run')
    t.equal(readlinkSync(join(folder, 'lib/b.js')), 'deep/a.js')
    t.equal(lstatSync(join(folder, 'bin/run')).mode & 0o7777, 0o755, 'no right of its owner is kept')
    t.equal(lstatSync(join(folder, 'lib/deep/a.js')).mode & 0o777, 0o644)
  }
})

void t.test('an archive that comes byte by byte is unpacked', async t => {
  const { folder } = placeFor(t)
  const archive = tarOf({ path: 'a/b', text: 'x'.repeat(700) }, { path: 'c', text: 'y' })
  const bytes = Readable.from([...archive].map(byte => Buffer.from([byte])))
  t.strictSame(await unpack(bytes, folder, LIMITS), { files: 2, bytes: 701 })
})

void t.test('the last of two files with one name counts', async t => {
  const { folder } = placeFor(t)
  t.strictSame(await unpacked(folder, tarOf({ path: 'a', text: '1' }, { path: './a', text: '22' })), {
    files: 1,
    bytes: 3,
  })
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), '22')
})

void t.test('files that an instance writes beside the app are left out', async t => {
  const { folder } = placeFor(t)
  const archive = tarOf(
    { path: './.outpost/', type: 'Directory' },
    { path: './.outpost/run/lifeline', type: 'FIFO' },
    { path: './.outpost/secret', text: 'x' },
    { path: './.outpost-notes', text: 'kept' },
    { path: './lib/.outpost', text: 'kept' },
  )
  t.strictSame(await unpacked(folder, archive, { ...LIMITS, leftOut: ['.outpost'] }), { files: 2, bytes: 8 })
  t.strictSame(readdirSync(folder).sort(), ['.outpost-notes', 'lib'])
  const error = await unpacked(folder, tarOf({ path: '.outpost/../../evil', text: 'x' }), {
    ...LIMITS,
    leftOut: ['.outpost'],
  }).catch((error: unknown) => error)
  t.match((error as Error).message, /leads out/)
})

const hostile: Record<string, [entries: Entry[], why: RegExp]> = {
  'a name with ..': [[{ path: '../evil', text: 'x' }], /leads out/],
  'a name with .. inside': [[{ path: 'a/../../evil', text: 'x' }], /leads out/],
  'an absolute name': [[{ path: '/tmp/outpost-evil', text: 'x' }], /leads out/],
  'a folder outside': [[{ path: '../evil/', type: 'Directory' }], /leads out/],
  'an absolute link': [[{ path: 'a', type: 'SymbolicLink', linkpath: '/etc/passwd' }], /leads out/],
  'a link that leads out': [[{ path: 'a', type: 'SymbolicLink', linkpath: '../../etc' }], /leads out|nowhere/],
  'a link to the parent': [[{ path: 'a/b', type: 'SymbolicLink', linkpath: '../..' }], /leads out/],
  'a link that leads out by another link': [
    [
      { path: 'd/e/b', type: 'SymbolicLink', linkpath: '../..' },
      { path: 'd/e/a', type: 'SymbolicLink', linkpath: 'b/..' },
    ],
    /leads out/,
  ],
  'a link that leads nowhere': [[{ path: 'a', type: 'SymbolicLink', linkpath: 'missing' }], /nowhere/],
  'links in a circle': [
    [
      { path: 'a', type: 'SymbolicLink', linkpath: 'b' },
      { path: 'b', type: 'SymbolicLink', linkpath: 'a' },
    ],
    /nowhere/,
  ],
  'a file written through a link': [
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '..' },
      { path: 'a/evil', text: 'x' },
    ],
    /twice/,
  ],
  'a file in place of a link': [
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '../evil' },
      { path: 'a', text: 'x' },
    ],
    /twice/,
  ],
  'a hard link to a file outside': [[{ path: 'a', type: 'Link', linkpath: '../secret' }], /leads out/],
  'a hard link to an absolute name': [[{ path: 'a', type: 'Link', linkpath: '/etc/passwd' }], /leads out/],
  'a hard link to a link': [
    [
      { path: 'a', type: 'SymbolicLink', linkpath: '../secret' },
      { path: 'b', type: 'Link', linkpath: 'a' },
    ],
    /no file of the archive/,
  ],
  'a device': [[{ path: 'null', type: 'CharacterDevice' }], /CharacterDevice/],
  'a disk': [[{ path: 'sda', type: 'BlockDevice' }], /BlockDevice/],
  'a pipe': [[{ path: 'pipe', type: 'FIFO' }], /FIFO/],
  'a file below a file': [
    [
      { path: 'a', text: 'x' },
      { path: 'a/b', text: 'y' },
    ],
    /twice/,
  ],
  'a file in place of a folder': [
    [
      { path: 'a/b', text: 'x' },
      { path: 'a', text: 'y' },
    ],
    /twice/,
  ],
  'a body that is not there': [[{ path: 'a', text: 'x', size: 100_000 }], /no whole tar archive/],
  'more entries than allowed': [Array.from({ length: 101 }, (_, i) => ({ path: `f${i}` })), /more than 100 entries/],
  'more bytes than allowed': [
    Array.from({ length: 11 }, (_, i) => ({ path: `f${i}`, text: 'x'.repeat(100_000) })),
    /larger than 1 MiB/,
  ],
}

for (const [what, [entries, why]] of Object.entries(hostile)) {
  void t.test(`an archive with ${what} is refused, and nothing is written outside`, async t => {
    for (const archive of [tarOf(...entries), gzipSync(tarOf(...entries))]) {
      const { folder, outside } = placeFor(t)
      const error = await unpacked(folder, archive).catch((error: unknown) => error)
      t.type(error, ArchiveError)
      t.match((error as Error).message, why)
      t.strictSame(readdirSync(outside), ['app'])
      t.notOk(existsSync('/tmp/outpost-evil'))
    }
  })
}

void t.test('a bomb is given up at the limit, not at its end', async t => {
  const { folder } = placeFor(t)
  const bomb = gzipSync(tarOf({ path: 'bomb', text: '\0'.repeat(50_000_000) }))
  t.ok(bomb.length < 1_000_000)
  t.match(await unpacked(folder, bomb).catch((error: unknown) => error), { message: /larger than 1 MiB|ratio/ })
  t.ok((lstatSync(join(folder, 'bomb'), { throwIfNoEntry: false })?.size ?? 0) <= LIMITS.maxBytes)
})

void t.test('a body that is no archive is refused', async t => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('#!/bin/sh\n'),
    Buffer.alloc(5_000, 'x'),
    gzipSync('no tar').subarray(0, 20),
  ]) {
    const { folder } = placeFor(t)
    t.type(await unpacked(folder, bytes).catch((error: unknown) => error), ArchiveError)
  }
})

void t.test('an archive whose few entries name many folders is refused', async t => {
  const { folder } = placeFor(t)
  const deep = (first: string): string => `${first}/${'d/'.repeat(60)}file`
  t.match(await unpacked(folder, tarOf({ path: deep('a') }, { path: deep('b') })).catch((error: unknown) => error), {
    message: /more than 100 folders/,
  })
})

void t.test('an archive whose sender leaves is refused', async t => {
  const { folder } = placeFor(t)
  const archive = tarOf({ path: 'a', text: 'x'.repeat(10_000) })
  const broken = new Readable({ read: () => undefined })
  broken.push(archive.subarray(0, 3_000))
  setImmediate(() => broken.destroy(new Error('aborted')))
  t.match(await unpack(broken, folder, LIMITS).catch((error: unknown) => error), {
    message: /did not arrive whole: aborted/,
  })
})

void t.test(
  'an archive that is given up while it arrives is not unpacked further, for the reason that is given',
  async t => {
    const { folder } = placeFor(t)
    const archive = tarOf({ path: 'a', text: 'x'.repeat(10_000) }, { path: 'b', text: 'y' })
    const giveUp = new AbortController()
    const slow = Readable.from(
      (async function* () {
        yield await Promise.resolve(archive.subarray(0, 3_000))
        giveUp.abort(new Error('the disk is full'))
        yield archive.subarray(3_000)
      })(),
    )
    await t.rejects(unpack(slow, folder, LIMITS, giveUp.signal), new Error('the disk is full'))
    t.notOk(existsSync(join(folder, 'b')))
    const given = unpack(Readable.from([archive]), folder, LIMITS, AbortSignal.abort(new Error('the disk was full')))
    await t.rejects(given, new Error('the disk was full'), 'also one that was given up before')
    t.notOk(existsSync(join(folder, 'b')))
  },
)
