import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip, gzipSync } from 'node:zlib'
import t from 'tap'
import { Header } from 'tar'
import { ArchiveError } from '#src/primary/releases/archive-error.js'
import { unpack } from '#src/primary/releases/archive.js'
import type { ArchiveLimits, Unpacked } from '#src/primary/releases/release-tree.js'
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

const LIMITS = { maxBytes: 1_000_000, maxEntries: 100, maxNameBytes: 100_000 }
const hasApp = (): boolean => true

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

/** An extended header of pax. */
function paxOf(records: Readonly<Record<string, string>>, type = 'ExtendedHeader'): Buffer {
  const text = Object.entries(records).map(([name, value]) => {
    const rest = ` ${name}=${value}\n`
    const length = Buffer.byteLength(rest)
    const digits = String(length + String(length).length).length
    return `${length + digits}${rest}`
  })
  return entriesOnly({ path: 'PaxHeader', type, text: text.join('') })
}

function entriesOnly(...entries: readonly Entry[]): Buffer {
  return tarOf(...entries).subarray(0, -END.length)
}

/** An archive of one empty file whose header is changed, and has the sum that it should have. */
function changed(change: (header: Buffer) => void): Buffer {
  const archive = tarOf({ path: 'file' })
  change(archive)
  archive.fill(' ', 148, 156)
  const sum = archive.subarray(0, 512).reduce((sum, byte) => sum + byte, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0`, 148)
  return archive
}

const END = Buffer.alloc(1_024)

function unpacked(folder: string, archive: Buffer, limits: ArchiveLimits = LIMITS): Promise<Unpacked> {
  return unpack(Readable.from([archive]), folder, limits, hasApp)
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
    t.strictSame(await unpacked(folder, each), { files: 3, bytes: 7, leftOut: [] })
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
  t.strictSame(await unpack(bytes, folder, LIMITS, hasApp), { files: 2, bytes: 701, leftOut: [] })
})

void t.test('an archive may be followed by zeros: programs fill their last record with them', async t => {
  const { folder } = placeFor(t)
  const archive = Buffer.concat([tarOf({ path: 'a', text: 'x' }), Buffer.alloc(500_000)])
  for (const each of [archive, gzipSync(archive)]) {
    t.strictSame(await unpacked(folder, each), { files: 1, bytes: 1, leftOut: [] })
    unlinkSync(join(folder, 'a'))
  }
})

void t.test('the last of two files with one name counts', async t => {
  const { folder } = placeFor(t)
  t.strictSame(await unpacked(folder, tarOf({ path: 'a', text: '1' }, { path: './a', text: '22' })), {
    files: 1,
    bytes: 3,
    leftOut: [],
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
  const limits = { ...LIMITS, leftOut: ['.git', '.outpost'] }
  t.strictSame(await unpacked(folder, archive, limits), { files: 2, bytes: 8, leftOut: ['.outpost'] })
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
    /not lead to a file of the archive/,
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
  'a body that is not there': [[{ path: 'a', text: 'x', size: 100_000 }], /not a complete tar archive/],
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

const unclear: Record<string, [archive: Buffer, why: RegExp]> = {
  'that ends between two entries': [entriesOnly({ path: 'a' }, { path: 'b' }), /the end is missing/],
  'that ends in a header': [tarOf({ path: 'a' }).subarray(0, 300), /bytes are missing/],
  'that ends before the entry of a header': [
    Buffer.concat([entriesOnly({ path: 'a' }), paxOf({ path: 'b' }), END]),
    /the end is missing/,
  ],
  'with another one behind it': [Buffer.concat([tarOf({ path: 'a' }), tarOf({ path: 'b' })]), /after its end/],
  'with bytes behind its end': [Buffer.concat([tarOf({ path: 'a' }), Buffer.from('x')]), /after its end/],
  'with a name that is no UTF-8': [changed(header => header.write('caf\u00e9', 0, 'latin1')), /not UTF-8/],
  'with a NUL in a name': [Buffer.concat([paxOf({ path: 'a\0b' }), tarOf({ path: 'a' })]), /NUL/],
  'with a NUL in the end of a link': [
    Buffer.concat([paxOf({ linkpath: '.\0b' }), tarOf({ path: 'a', type: 'SymbolicLink', linkpath: '.' })]),
    /NUL/,
  ],
  'with a name for all entries': [
    Buffer.concat([paxOf({ path: 'a' }, 'GlobalExtendedHeader'), tarOf({ path: 'b' })]),
    /for all of its entries/,
  ],
  'with a sparse file of pax': [
    Buffer.concat([paxOf({ 'GNU.sparse.major': '1' }), tarOf({ path: 'GNUSparseFile.1/a', text: '0\n' })]),
    /sparse/,
  ],
  'with a sparse file of GNU': [changed(header => header.write('S', 156)), /SparseFile/],
  'with an entry of an unknown type': [changed(header => header.write('Z', 156)), /special entry/],
  'with a header that says too little of its length': [
    entriesOnly({ path: 'PaxHeader', type: 'ExtendedHeader', text: '9 path=abc\n' }),
    /malformed/,
  ],
  'with a header of two MiB': [
    entriesOnly({ path: 'PaxHeader', type: 'ExtendedHeader', text: 'x'.repeat(2 * 1024 ** 2) }),
    /too long|larger than/,
  ],
  'with a negative size': [changed(header => header.fill(0xff, 124, 136)), /not a tar archive/],
  'with a size beyond all disks': [
    changed(header => header.fill(0xff, 124, 136).writeUInt8(0x80, 124)),
    /not a tar archive/,
  ],
  ...Object.fromEntries(
    ['-1', '1.5', '1e300', 'Infinity', '0x10'].map((size): [string, [Buffer, RegExp]] => [
      `with the size ${size}`,
      [Buffer.concat([paxOf({ size }), tarOf({ path: 'a', text: 'x' })]), /it has the size/],
    ]),
  ),
  'with a name that is too long for a disk': [
    Buffer.concat([paxOf({ path: 'n'.repeat(256) }), tarOf({ path: 'n' })]),
    /too long for the disk/,
  ],
  'with a link that is too long for a disk': [
    Buffer.concat([paxOf({ linkpath: './'.repeat(2_500) }), tarOf({ path: 'a', type: 'SymbolicLink', linkpath: '.' })]),
    /too long for the disk/,
  ],
  'with names that fill the memory': [
    Buffer.concat([
      ...Array.from({ length: 2 }, (_, i) =>
        Buffer.concat([
          paxOf({ linkpath: 'x'.repeat(60_000) }),
          entriesOnly({ path: `l${i}`, type: 'SymbolicLink', linkpath: '.' }),
        ]),
      ),
      END,
    ]),
    /its names are longer/,
  ],
}

for (const [what, [archive, why]] of Object.entries(unclear)) {
  void t.test(`an archive ${what} is refused`, async t => {
    for (const each of [archive, gzipSync(archive)]) {
      const error = await unpacked(placeFor(t).folder, each).catch((error: unknown) => error)
      t.type(error, ArchiveError)
      t.match((error as Error).message, why)
    }
  })
}

void t.test('a name comes whole, wherever its header is cut', async t => {
  const long = `${'\u65e5\u672c\u8a9e/'.repeat(60)}app.js`
  const archive = Buffer.concat([
    paxOf({ path: long, 'SCHILY.xattr.user.x': 'a\n12 path=b\0' }),
    tarOf({ path: 'short' }),
  ])
  for (let at = 512; at < 1_536; at += 61) {
    const { folder } = placeFor(t)
    await unpack(Readable.from([archive.subarray(0, at), archive.subarray(at)]), folder, LIMITS, hasApp)
    t.ok(existsSync(join(folder, long)), `cut at ${at}`)
  }
})

void t.test('the archives of GNU tar are unpacked, in all of its formats', async t => {
  const source = placeFor(t).folder
  const name = `${'\u00e4'.repeat(60)}/${'\u65e5\u672c'.repeat(20)}.js`
  mkdirSync(join(source, name, '..'), { recursive: true })
  writeFileSync(join(source, name), 'app')
  symlinkSync(name, join(source, 'link.js'))
  linkSync(join(source, name), join(source, 'same.js'))
  for (const format of ['gnu', 'oldgnu', 'pax', 'posix']) {
    const { folder } = placeFor(t)
    const archive = execFileSync('tar', ['-c', `--format=${format}`, '-C', source, '.'])
    t.strictSame(await unpacked(folder, archive), { files: 2, bytes: 6, leftOut: [] }, format)
    for (const file of [name, 'link.js', 'same.js']) t.equal(readFileSync(join(folder, file), 'utf8'), 'app')
  }
})

void t.test('the content of the only folder of an archive is moved up, unless the app is there', async t => {
  const archive = tarOf(
    { path: 'app-1.0/.outpost/run/lifeline', type: 'FIFO' },
    { path: 'app-1.0/.outpost/far', type: 'SymbolicLink', linkpath: '/run' },
    { path: 'app-1.0/.git/config', text: 'x' },
    { path: 'app-1.0/lib/a.js', text: 'a' },
    { path: 'app-1.0/index.js', type: 'SymbolicLink', linkpath: 'lib/a.js' },
  )
  const limits = { ...LIMITS, leftOut: ['.git', '.outpost'] }
  const { folder } = placeFor(t)
  const { leftOut } = await unpack(Readable.from([archive]), folder, limits, () => false)
  t.strictSame(readdirSync(folder).sort(), ['index.js', 'lib'], 'without what is left out at the top')
  t.strictSame(leftOut, ['.git', '.outpost'])
  t.equal(readFileSync(join(folder, 'index.js'), 'utf8'), 'a')
  const asItIs = await unpack(Readable.from([archive]), placeFor(t).folder, limits, hasApp).catch(
    (error: unknown) => error,
  )
  t.match(asItIs, { message: /is a FIFO/ }, 'a FIFO is refused')
})

void t.test('a link that leads out of the folder that is moved up is refused', async t => {
  for (const [path, linkpath] of [
    ['pkg/up', '..'],
    ['pkg/lib/up', '../..'],
    ['pkg/a.js', '../pkg/index.js'],
    ['pkg/lib/.git/up', '../../..'],
  ] as const) {
    const { folder } = placeFor(t)
    const archive = tarOf({ path: 'pkg/index.js', text: 'x' }, { path, type: 'SymbolicLink', linkpath })
    const limits = { ...LIMITS, leftOut: ['.git'] }
    const error = await unpack(Readable.from([archive]), folder, limits, () => false).catch((error: unknown) => error)
    t.match(error, { message: /leads out|leads nowhere/ }, path)
  }
})

void t.test('a file is left out however its name is written', async t => {
  const { folder } = placeFor(t)
  const names = ['.git', './/.git/config', '././/.git//config', './.git/./config', '/.git/config'.slice(1)]
  const archive = tarOf(...names.map(path => ({ path, text: 'x' })), { path: 'index.js' })
  t.strictSame(await unpacked(folder, archive, { ...LIMITS, leftOut: ['.git'] }), {
    files: 1,
    bytes: 0,
    leftOut: ['.git'],
  })
  t.strictSame(readdirSync(folder), ['index.js'])
})

void t.test('a link of a file to itself is that file', async t => {
  const { folder } = placeFor(t)
  const archive = tarOf({ path: 'a', text: 'x' }, { path: './a', type: 'Link', linkpath: 'a' })
  t.strictSame(await unpacked(folder, archive), { files: 1, bytes: 1, leftOut: [] })
  t.equal(readFileSync(join(folder, 'a'), 'utf8'), 'x')
})

void t.test('an archive without an end is given up, and others are not kept waiting', async t => {
  const endless = (piece: Buffer): Readable =>
    Readable.from(
      (function* () {
        yield tarOf({ path: 'index.js', text: 'x' })
        for (;;) yield piece
      })(),
    ).pipe(createGzip())
  // Many headers and no entry, and zeros behind the end.
  const headers = Readable.from((function* () { for (;;) yield paxOf({ comment: 'x'.repeat(60_000) }) })()).pipe(createGzip()) // prettier-ignore
  for (const archive of [endless(Buffer.alloc(100_000)), headers]) {
    const error = await unpack(archive, placeFor(t).folder, LIMITS, hasApp).catch((error: unknown) => error)
    t.match(error, { message: /larger than 2 MiB/ })
  }
  const noise = await unpack(endless(randomBytes(1_000)), placeFor(t).folder, LIMITS, hasApp).catch(
    (error: unknown) => error,
  )
  t.match(noise, { message: /after its end/ })
})

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

void t.test('an archive whose sender leaves without a word is refused', async t => {
  const { folder } = placeFor(t)
  const broken = new Readable({ read: () => undefined })
  broken.push(tarOf({ path: 'a', text: 'x'.repeat(10_000) }).subarray(0, 3_000))
  setImmediate(() => broken.destroy())
  t.match(await unpack(broken, folder, LIMITS, hasApp).catch((error: unknown) => error), { message: /did not arrive/ })
  const gone = await unpack(broken, folder, LIMITS, hasApp).catch((error: unknown) => error)
  t.match(gone, { message: /did not arrive/ }, 'also one who left before')
})

void t.test('an archive whose sender leaves is refused', async t => {
  const { folder } = placeFor(t)
  const archive = tarOf({ path: 'a', text: 'x'.repeat(10_000) })
  const broken = new Readable({ read: () => undefined })
  broken.push(archive.subarray(0, 3_000))
  setImmediate(() => broken.destroy(new Error('aborted')))
  t.match(await unpack(broken, folder, LIMITS, hasApp).catch((error: unknown) => error), {
    message: /did not arrive completely: aborted/,
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
    await t.rejects(unpack(slow, folder, LIMITS, hasApp, giveUp.signal), new Error('the disk is full'))
    t.notOk(existsSync(join(folder, 'b')))
    const given = unpack(
      Readable.from([archive]),
      folder,
      LIMITS,
      hasApp,
      AbortSignal.abort(new Error('the disk was full')),
    )
    await t.rejects(given, new Error('the disk was full'), 'also one that was given up before')
    t.notOk(existsSync(join(folder, 'b')))
  },
)
