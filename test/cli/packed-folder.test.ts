import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { packedPaths, packFolder } from '#src/cli/packed-folder.js'
import { temporaryFolder, type Harness } from '../helpers/harness.js'

/** The files of a release of a folder with these files. */
function packed(t: Harness, files: Record<string, string>, app?: string, dataDir = '.outpost'): string[] {
  const folder = temporaryFolder(t)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const paths = packedPaths({ folder, dataDir: join(folder, dataDir), app: app && join(folder, app) })
  return paths.filter(path => path in files).sort()
}

const app = {
  'package.json': '{"main":"dist/server.js"}',
  'dist/server.js': '',
  'dist/lib/a.js': '',
  'src/server.ts': '',
}

void t.test('without a list all is packed, but never git, and never what an instance writes', t => {
  const files = { ...app, '.git/HEAD': '', '.outpost/lock': '', 'data/run/lock': '', 'node_modules/x/index.js': '' }
  t.strictSame(packed(t, files, undefined, 'data'), [...Object.keys(app), 'node_modules/x/index.js'].sort())
  t.end()
})

void t.test('the files that an instance writes are left out, whatever name its folder is known by', t => {
  const real = temporaryFolder(t)
  const link = join(temporaryFolder(t), 'link')
  symlinkSync(real, link)
  mkdirSync(join(real, 'data'))
  writeFileSync(join(real, 'app.js'), '')
  t.strictSame(packedPaths({ folder: link, dataDir: join(real, 'data'), app: undefined }), ['app.js'])
  t.strictSame(packedPaths({ folder: real, dataDir: join(link, 'data'), app: undefined }), ['app.js'])
  t.end()
})

void t.test('.outpostignore counts before .npmignore, and that before .gitignore', t => {
  const files = { ...app, a: '', b: '', c: '' }
  t.strictSame(
    packed(t, { ...files, '.outpostignore': 'a', '.npmignore': 'b', '.gitignore': 'c' }).filter(
      name => name.length === 1,
    ),
    ['b', 'c'],
  )
  t.strictSame(
    packed(t, { ...files, '.npmignore': 'b', '.gitignore': 'c' }).filter(name => name.length === 1),
    ['a', 'c'],
  )
  t.strictSame(
    packed(t, { ...files, '.gitignore': 'c' }).filter(name => name.length === 1),
    ['a', 'b'],
  )
  t.end()
})

void t.test("the app's own folder is packed although .gitignore leaves it out, and other lists are obeyed", t => {
  const list = 'dist/\nnode_modules/\n'
  const files = { ...app, 'node_modules/x/index.js': '' }
  t.strictSame(packed(t, { ...files, '.gitignore': list }), [...Object.keys(app), '.gitignore'].sort())
  t.strictSame(packed(t, { ...files, '.outpostignore': list }), ['.outpostignore', 'package.json', 'src/server.ts'])
  t.end()
})

void t.test('the app that is started says which folder is its own', t => {
  const files = { 'build/main.js': '', 'out/x': '', '.gitignore': 'build\nout\n' }
  t.strictSame(packed(t, files, 'build/main.js'), ['.gitignore', 'build/main.js'])
  t.end()
})

void t.test('a list in a folder below counts there', t => {
  const files = {
    'index.js': '',
    '.gitignore': '*.log',
    'a.log': '',
    'sub/.gitignore': '!keep.log\nx',
    'sub/keep.log': '',
    'sub/x': '',
    x: '',
  }
  t.strictSame(packed(t, files), ['.gitignore', 'index.js', 'sub/.gitignore', 'sub/keep.log', 'x'])
  t.end()
})

void t.test('a line for the files of the app leaves out none of a package', t => {
  const files = {
    'app.js': '',
    'dist/page.js': '',
    'node_modules/x/dist/index.js': '',
    'node_modules/x/.gitignore': 'dist',
    'node_modules/.cache/a': '',
  }
  const left = ['app.js', 'node_modules/x/.gitignore', 'node_modules/x/dist/index.js']
  for (const list of ['.gitignore', '.outpostignore']) {
    t.strictSame(packed(t, { ...files, [list]: 'dist\nnode_modules/.cache\n' }), [list, ...left])
  }
  t.strictSame(packed(t, { ...files, '.gitignore': 'node_modules\n' }), ['.gitignore', 'app.js', 'dist/page.js'])
  t.end()
})

void t.test('with a list for npm and a lockfile, packages are left out as npm does', t => {
  const files = { 'index.js': '', '.npmignore': 'x', 'package-lock.json': '{}', 'node_modules/a/index.js': '' }
  t.strictSame(packed(t, files), ['.npmignore', 'index.js', 'package-lock.json'])
  t.end()
})

void t.test('links are packed as links', t => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'a'))
  symlinkSync('a', join(folder, 'b'))
  t.strictSame(packedPaths({ folder, dataDir: '/nowhere', app: undefined }).sort(), ['a', 'b'])
  t.end()
})

void t.test('a folder without anything to pack is refused, with the reason', async t => {
  const folder = temporaryFolder(t)
  const options = { folder, dataDir: join(folder, '.outpost'), app: undefined }
  await t.rejects(packFolder(options), { message: `${folder} has nothing to deploy: the folder is empty` })
  writeFileSync(join(folder, '.gitignore'), '*')
  await t.rejects(packFolder(options), {
    message: `${folder} has nothing to deploy: .gitignore leaves out all files`,
  })
})

void t.test('a file that cannot be read ends the archive with its error', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'app.js'), '')
  // Node reads no such name, so the file is not found.
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/a`), Buffer.from([0xff])]), '')
  const archive = await packFolder({ folder, dataDir: join(folder, '.outpost'), app: undefined })
  await t.rejects(archive.toArray(), { code: 'ENOENT' })
})
