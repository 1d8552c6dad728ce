import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Shell } from '../helpers/command.js'

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

/** The faults that systemd finds in a unit. */
function faultsOf(path: string): string {
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' })
  return (stdout + stderr)
    .split('\n')
    .filter(line => line.includes(path.split('/').at(-1)!))
    .join('\n')
}

void t.test(
  'the unit of a service is one that systemd accepts',
  { skip: hasSystemd ? false : 'no systemd' },
  async t => {
    const shell = new Shell(t)
    const folder = join(shell.folder, 'my shop')
    mkdirSync(folder)
    writeFileSync(join(folder, 'index.js'), '')
    writeFileSync(join(shell.folder, 'settings'), '')
    for (const words of [[], ['-w', '2', '-p', '80', '--env-file', 'settings', '--', '--flag', '100% "of" $HOME']]) {
      const { name, unit } = (await jsonOf(shell, words)) as { name: string; unit: string }
      t.equal(name, 'my-shop.service')
      const path = join(shell.folder, name)
      writeFileSync(path, unit)
      t.equal(faultsOf(path), '')
      writeFileSync(path, unit.replace('ExecStart=', 'ExecBegin='))
      t.match(faultsOf(path), /ExecBegin/, 'a fault would be found')
    }
  },
)

/** `--json` comes before the arguments of the app. */
async function jsonOf(shell: Shell, words: readonly string[]): Promise<unknown> {
  const { code, out, err } = await shell.run(['service', 'my shop', '--json', ...words])
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

void t.test('the unit names the user of RUN_AS', async t => {
  const { out } = await new Shell(t).run(['service', '-p', '80'], { env: { RUN_AS: 'nobody' } })
  t.match(out, /^User=nobody$/m)
  t.match(out, /^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m)
})

void t.test('the unit is printed, and how to install it is a remark', async t => {
  const shell = new Shell(t)
  writeFileSync(join(shell.folder, 'shop'), '')
  const { code, out, err } = await shell.run(['service', 'shop', '--name', 'web', '--user'])
  t.equal(code, 0)
  t.match(out, /^\[Unit\]\n/)
  t.match(out, `start ${join(shell.folder, 'shop')} --data-dir ${join(shell.folder, '.outpost')}\n`)
  t.match(err, '~/.config/systemd/user/web.service, then systemctl --user enable --now web\n')
})

void t.test('the unit of an ecosystem file names its environment and its app', async t => {
  const shell = new Shell(t)
  writeFileSync(join(shell.folder, 'ecosystem.config.js'), '')
  const { out } = await shell.run(['service', 'ecosystem.config.js', '--env', 'production', '--only', 'shop'])
  t.match(out, /^ExecStart=.* start \S+ecosystem\.config\.js --data-dir \S+ --env production --only shop$/m)
  writeFileSync(join(shell.folder, 'app.js'), '')
  t.match(await shell.run(['service', 'app.js', '--env', 'production']), { code: 64, err: /ecosystem file/ })
})

void t.test('no unit is printed for options that a start would refuse', async t => {
  const shell = new Shell(t)
  writeFileSync(join(shell.folder, 'app.js'), '')
  t.match(await shell.run(['service', 'gone.js']), { code: 78, out: '', err: /no such app: gone\.js/ })
  t.match(await shell.run(['service', 'app.js', '-p', '70000']), { code: 64, out: '', err: /--port 70000: must be/ })
  t.match(await shell.run(['service', 'app.js', '-w', 'many']), { code: 64, out: '', err: /--workers many: must be/ })
  t.match(
    await shell.run(['service', 'app', '-p', '80', '-w', '2-4']),
    { code: 0 },
    'a name without .js is one for Node',
  )
})
