import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { command, Shell } from '../helpers/command.js'
import { until, within } from '../helpers/deadline.js'

const APP = (version: string): string => `
import { createServer } from 'node:http'
createServer((request, response) => response.end('${version} ' + process.env.COLOUR)).listen(process.env.PORT)
`
const SECRET = 'hunter2hunter2'

void t.test('a folder is deployed, changed and rolled back by commands', async t => {
  const shell = new Shell(t)
  const cwd = join(shell.folder, 'shop')
  mkdirSync(join(cwd, 'dist'), { recursive: true })
  writeFileSync(join(cwd, 'package.json'), '{"type":"module","main":"dist/app.js"}')
  writeFileSync(join(cwd, '.gitignore'), 'dist\nnode_modules\n.outpost\n')
  writeFileSync(join(cwd, 'dist/app.js'), APP('one'))
  const { url, dataDir } = (await shell.json(['start', '.', '-d'], { cwd })) as { url: string; dataDir: string }
  const answer = async (): Promise<string> => (await ask(url, '/')).text
  t.equal(await answer(), 'one undefined')

  await t.test('a folder is deployed, tried and live', async t => {
    writeFileSync(join(cwd, 'dist/app.js'), APP('two'))
    const { code, out } = await shell.run(['deploy', '.', '--bake', '1'], { cwd })
    t.equal(code, 0, out)
    t.match(out, /r1 is received: 3 files.*\n20 % of the clients get r1 for 1 s\nall workers of r1 are started\n/)
    t.match(out, /REQUESTS +FAILED[\s\S]*too little traffic[\s\S]*r1 is live\n$/)
    t.equal(await answer(), 'two undefined')
    t.match((await shell.run(['releases'], { cwd })).out, /r1 +live .*shop\nstart +warm/)
    t.match((await shell.run(['status'], { cwd })).out, /r1\/0/)
    const { processes } = (await shell.json(['status'], { cwd })) as { processes: Array<{ role: string }> }
    const workers = processes.filter(({ role }) => role === 'worker').length
    const reload = await shell.run(['reload'], { cwd })
    t.match(
      reload.out,
      `(${workers} of ${workers})\n${workers} workers replaced`,
      'those that are kept warm are counted',
    )
  })

  await t.test(
    'a deploy that fails ends with 1, its reason and its last output, and the live release serves on',
    async t => {
      writeFileSync(join(cwd, 'dist/app.js'), 'console.log("no such table"); process.exit(3)')
      const { code, err } = await shell.run(['deploy', '.', '--bake', '0'], { cwd })
      t.equal(code, 1)
      t.match(err, /release r2 is taken back: .*exit code 3.*r1 serves as before[\s\S]*no such table/)
      const json = await shell.run(['deploy', '.', '--bake', '0', '--json'], { cwd })
      const last = JSON.parse(json.out.trim().split('\n').at(-1) ?? '') as object
      t.match({ code: json.code, ...last }, { code: 1, error: { code: 'TAKEN_BACK', lastLines: ['no such table'] } })
      t.equal(await answer(), 'two undefined')
      writeFileSync(join(cwd, 'dist/app.js'), APP('two'))
    },
  )

  await t.test('a variable is set, is pinned to its release, and is in no log and no status', async t => {
    const seen = /ps showed the value .* for a secret, give its name alone/
    t.match(await shell.run(['env', 'set', `COLOUR=${SECRET}`], { cwd }), { code: 0, out: /r4 is live/, err: seen })
    t.equal(await answer(), `two ${SECRET}`)
    const again = await shell.run(['env', 'unset', 'NONE'], { cwd })
    t.match(again, { code: 0, out: 'r4 is live\n', err: /nothing has changed/ })
    t.match(await shell.run(['env', 'list'], { cwd }), { code: 0, out: `COLOUR=${SECRET}\n` })
    const shown = await Promise.all(['status', 'releases', 'logs'].map(name => shell.run([name, '--json'], { cwd })))
    for (const { out } of shown) t.notMatch(out, SECRET)
    t.equal(statSync(join(dataDir, 'releases/r4/env.json')).mode & 0o777, 0o600)
    const files = readdirSync(join(dataDir, 'logs')).map(name => readFileSync(join(dataDir, 'logs', name), 'utf8'))
    t.notMatch(files.join(), SECRET)
    t.match(await shell.run(['env', 'set', 'PORT=1'], { cwd }), { code: 64, err: /PORT is set by Outpost/ })
    t.match(await shell.run(['env', 'set', '1A=1'], { cwd }), { code: 64, err: /a name has letters/ })
    t.match(await shell.run(['env', 'set', `A=${'x'.repeat(70_000)}`], { cwd }), {
      code: 64,
      err: /A cannot be set: .* 64 KiB/,
    })
    t.match(await shell.run(['env', 'unset', 'COLOUR=red'], { cwd }), { code: 64, err: /a name has letters/ })
    for (const words of [
      ['set', `COLOUR=${SECRET}`],
      ['unset', 'NEVER_SET'],
    ]) {
      t.match(await shell.run(['env', ...words], { cwd }), { code: 0, out: 'r4 is live\n' }, 'it makes no release')
    }
    t.match(await shell.run(['env', 'set'], { cwd }), { code: 64 })
  })

  await t.test('on a terminal the value of a variable is asked for, and is not shown', async t => {
    const type = async (...keys: string[]): Promise<{ code: unknown; shown: string }> => {
      const words = ['-qec', `'${process.execPath}' '${command}' env set COLOUR`, '/dev/null']
      const asked = spawn('script', words, { cwd, env: shell.env, stdio: ['pipe', 'pipe', 'inherit'] })
      t.teardown(() => asked.kill('SIGKILL'))
      let shown = ''
      asked.stdout.setEncoding('utf8').on('data', chunk => (shown += String(chunk)))
      await until(() => shown.includes('COLOUR (not shown): '), 'the question')
      const exited = once(asked, 'close')
      for (const key of keys) asked.stdin.write(key)
      const [code] = (await within(exited, 'the end')) as [unknown]
      return { code, shown }
    }
    const { code, shown } = await type(`${SECRET}x`, '\x7f', '\r')
    t.match({ code, shown }, { code: 0, shown: /nothing has changed/ }, 'it is the value that was set')
    t.notMatch(shown, SECRET)
    t.match(await type(SECRET, '\x03'), { code: 130, shown: /shown\): \s*$/ })
    t.match(await type('\x04'), { code: 64, shown: /no value was given/ })
  })

  await t.test('a command runs in the folder and the environment of the live release', async t => {
    const script = 'console.log(process.cwd(), process.env.COLOUR); process.exit(5)'
    const { code, out } = await shell.run(['run', '--', process.execPath, '-e', script], { cwd })
    t.strictSame([code, out], [5, `${join(dataDir, 'releases/r1/app')} ${SECRET}\n`])
    const json = await shell.run(['run', '--json', '--', 'sh', '-c', 'echo said; exit 3'], { cwd })
    t.match(json, { code: 3, err: /said/ })
    t.strictSame(JSON.parse(json.out), { exitCode: 3 })
    t.match(await shell.run(['run'], { cwd }), { code: 64, err: /after --/ })
    const missing = await shell.run(['run', '--', 'no-such-command'], { cwd })
    t.strictSame(missing, { code: 127, out: '', err: 'outpost: no-such-command: command not found\n' })
    t.match(await shell.run(['run', '--', '/no/such/command'], { cwd }), { code: 127, err: /command not found/ })
    t.match(await shell.run(['run', '--', join(dataDir, 'logs')], { cwd }), { code: 126, err: /cannot be run: EACCES/ })
    const failed = await shell.run(['run', '--json', '--', 'no-such-command'], { cwd })
    t.match([failed.code, JSON.parse(failed.out)], [127, { error: { code: 'NOT_FOUND' } }])
  })

  await t.test('a rollback undoes the last change, and a named one goes further back', async t => {
    t.match(await shell.run(['rollback'], { cwd }), { code: 0, out: /r1 is live\n$/ })
    t.equal(await answer(), 'two undefined')
    t.match(await shell.run(['rollback', 'start'], { cwd }), { code: 0 })
    t.match(await shell.run(['rollback', 'r99'], { cwd }), { code: 1, err: /no release r99/ })
    t.match(await shell.run(['env', 'set', 'SIZE=1'], { cwd }), { code: 0, out: /r5 is live/ })
  })

  await t.test('an app is installed and built, and its release step runs, once', async t => {
    writeFileSync(
      join(cwd, 'package-lock.json'),
      '{"name":"shop","lockfileVersion":3,"requires":true,"packages":{"":{}}}',
    )
    const scripts = {
      build: `node -e "require('fs').writeFileSync('dist/app.js', require('fs').readFileSync('app.txt'))"`,
    }
    writeFileSync(
      join(cwd, 'package.json'),
      JSON.stringify({ name: 'shop', type: 'module', main: 'dist/app.js', scripts }),
    )
    writeFileSync(join(cwd, 'app.txt'), APP('built'))
    writeFileSync(
      join(cwd, 'Procfile'),
      `web: node dist/app.js\nrelease: echo migrated >> ${shell.folder}/migrations\n`,
    )
    const { code, out, err } = await shell.run(['deploy', '.', '--bake', '0'], { cwd })
    t.equal(code, 0, out + err)
    t.match(out, /npm ci --include=dev.*\nnpm run build\nnpm prune --omit=dev.*\necho migrated/)
    t.equal(await answer(), 'built undefined')
    t.equal(readFileSync(join(shell.folder, 'migrations'), 'utf8'), 'migrated\n')
  })

  await t.test('a release step that fails changes nothing and leaves nothing', async t => {
    writeFileSync(join(cwd, 'Procfile'), 'release: echo "cannot migrate"; exit 9\n')
    const { code, err } = await shell.run(['deploy', '.', '--bake', '0'], { cwd })
    t.equal(code, 1)
    t.match(err, /not installed: echo "cannot migrate"; exit 9 failed \(exit code 9\)[\s\S]*cannot migrate/)
    t.equal(await answer(), 'built undefined')
    t.strictSame(
      readdirSync(join(dataDir, 'releases')).filter(name => name.startsWith('.new')),
      [],
    )
  })

  // The last one: what has begun to arrive may have taken a number.
  await t.test('a folder that cannot be deployed is named', async t => {
    const file = await shell.run(['deploy', 'dist/app.js'], { cwd })
    t.match(file, { code: 64, err: /dist\/app\.js is no archive: name the folder of the app/ })
    // Node reads no such name, so the file is not found.
    writeFileSync(Buffer.concat([Buffer.from(`${cwd}/a`), Buffer.from([0xff])]), '')
    const unreadable = await shell.run(['deploy', '.'], { cwd })
    t.match(unreadable, { code: 1, err: /^outpost: the archive cannot be read: ENOENT: .*\n$/ })
    rmSync(Buffer.concat([Buffer.from(`${cwd}/a`), Buffer.from([0xff])]))
  })
})

void t.test('a start that names the app in another way serves the live release, and says so', async t => {
  const shell = new Shell(t)
  const cwd = join(shell.folder, 'shop')
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}')
  writeFileSync(join(cwd, 'app.js'), APP('one'))
  await shell.json(['start', 'app.js', '-d'], { cwd })
  t.match(await shell.run(['deploy', '.', '--bake', '0'], { cwd }), { code: 0, out: /r1 is live/ })
  await shell.json(['stop'], { cwd })
  writeFileSync(join(cwd, 'Procfile'), 'web: node app.js\n')
  writeFileSync(join(cwd, 'app.js'), APP('two'))
  const { code, out, err } = await shell.run(['start', '.', '-d'], { cwd })
  t.match({ code, out, err }, { code: 0, out: /release r1\)/, err: /r1 was live at the last stop/ })
  const { url } = /(?<url>http:\S+)/.exec(out)?.groups ?? {}
  t.equal((await ask(url ?? '', '/')).text, 'one undefined')
  t.match(await shell.run(['deploy', '.', '--bake', '0'], { cwd }), { code: 0, out: /r2 is live/ })
  t.equal((await ask(url ?? '', '/')).text, 'two undefined')
})
