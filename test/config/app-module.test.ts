import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandNotFollowed, findAppModule, folderOfApp, moduleOfRelease } from '#src/config/app-module.js'
import { temporaryFolder } from '../helpers/harness.js'

/** A folder with these files; of a package.json its content. */
function folder(t: Test, files: readonly string[], packageJson?: object): string {
  const path = temporaryFolder(t)
  mkdirSync(join(path, 'lib'))
  for (const file of files) writeFileSync(join(path, file), '')
  if (packageJson !== undefined) writeFileSync(join(path, 'package.json'), JSON.stringify(packageJson))
  return path
}

const start = (script: string): object => ({ scripts: { start: script }, main: 'main.js' })

const folders: Array<[what: string, packageJson: object | undefined, file: string, args?: string[]]> = [
  ['a start script that is plain node', start('node lib/www.js'), 'lib/www.js'],
  ['its arguments', start(`node ./lib/www -p 'two words'`), 'lib/www.js', ['-p', 'two words']],
  ['main where the script has flags of Node', start('node --inspect lib/www.js'), 'main.js'],
  ['main where the script is of a shell', start('node lib/www.js && echo done'), 'main.js'],
  ['main where the script runs something else', start('nodemon lib/www.js'), 'main.js'],
  ['main', { main: './main' }, 'main.js'],
  ['main that is a folder', { main: 'lib' }, 'lib/index.js'],
  ['index.js', {}, 'index.js'],
  ['index.js without a package.json', undefined, 'index.js'],
]

void t.test('the web line of a Procfile counts before the start script', t => {
  const path = folder(t, ['main.js', 'lib/www.js'], start('node main.js'))
  writeFileSync(join(path, 'Procfile'), 'worker: node main.js\nweb: node lib/www.js -p 1\n')
  t.strictSame(findAppModule(path), { file: join(path, 'lib/www.js'), args: ['-p', '1'] })
  writeFileSync(join(path, 'Procfile'), 'web: npm start\n')
  t.strictSame(findAppModule(path), { file: join(path, 'main.js'), args: [] })
  t.end()
})

void t.test('a command that usually starts the app, and is not followed here, is found', t => {
  const path = folder(t, ['main.js', 'lib/www.js'], start('node --env-file=.env lib/www.js'))
  t.equal(commandNotFollowed(path), 'node --env-file=.env lib/www.js')
  t.equal(commandNotFollowed(join(path, 'main.js')), undefined, 'a file is started as such')
  writeFileSync(join(path, 'Procfile'), 'web: npm start\n')
  t.equal(commandNotFollowed(path), 'npm start')
  for (const followed of [start('node lib/www.js'), start('node main')]) {
    writeFileSync(join(path, 'package.json'), JSON.stringify(followed))
    t.equal(commandNotFollowed(path), undefined)
  }
  t.equal(commandNotFollowed(folder(t, ['index.js'])), undefined)
  t.end()
})

for (const [what, packageJson, file, args = []] of folders) {
  void t.test(`APP that names a folder runs its main module: ${what}`, t => {
    const path = folder(t, ['index.js', 'main.js', 'lib/www.js', 'lib/index.js'], packageJson)
    t.strictSame(findAppModule(path), { file: join(path, file), args })
    t.end()
  })
}

void t.test('a release runs the file that it was tried with, whatever the program was started with since', t => {
  const path = folder(t, ['index.js', 'main.js', 'lib/www.js'], start('node lib/www.js -p 1'))
  const runs = (main: string | undefined, app: string) => moduleOfRelease(path, main, app, '/srv/shop')
  const found = (file: string, args: string[] = []) => ({ file: join(path, file), args })
  t.strictSame(runs('main.js', '/srv/shop/main.js'), found('main.js'))
  t.strictSame(runs('main.js', '/srv/shop'), found('main.js'), 'the folder, which says another one')
  t.strictSame(runs('main.js', '/srv/shop/other.js'), found('main.js'), 'a file that it has not')
  t.strictSame(runs('lib/www.js', '/srv/shop'), found('lib/www.js', ['-p', '1']), 'with the arguments that it says')
  t.strictSame(runs(undefined, '/srv/shop'), found('lib/www.js', ['-p', '1']), 'one that was not recorded')
  t.strictSame(runs('gone.js', '/srv/shop'), found('lib/www.js', ['-p', '1']))
  t.end()
})

void t.test('a file may be named without its extension', t => {
  const path = folder(t, ['server.mjs'])
  t.strictSame(findAppModule(join(path, 'server')), { file: join(path, 'server.mjs'), args: [] })
  t.end()
})

void t.test('a folder that names no file has index.js, server.js or app.js', t => {
  const path = folder(t, [], { main: 'index.js' })
  for (const name of ['app.js', 'server.js', 'index.js']) {
    writeFileSync(join(path, name), '')
    t.strictSame(findAppModule(path), { file: join(path, name), args: [] })
  }
  t.end()
})

void t.test('a path that leads to no file finds no module', t => {
  const path = folder(t, [])
  t.equal(findAppModule(path), undefined)
  t.equal(findAppModule(join(path, 'none.js')), undefined)
  t.end()
})

void t.test('a link is followed anew at each look', t => {
  const path = folder(t, ['index.js', 'lib/www.js'], {})
  const current = join(path, 'current')
  symlinkSync(path, current)
  t.equal(findAppModule(current)?.file, join(current, 'index.js'))
  unlinkSync(current)
  t.equal(findAppModule(current), undefined)
  t.end()
})

void t.test('the Procfile beside an app is that of its folder, else of the one it is run in', t => {
  const path = folder(t, ['app.js'])
  t.equal(folderOfApp(path, '/srv'), path)
  t.equal(folderOfApp(join(path, 'app.js'), '/srv'), '/srv')
  t.end()
})
