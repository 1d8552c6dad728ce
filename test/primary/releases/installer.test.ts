import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandsFor, install, InstallError, type InstallOptions } from '#src/primary/releases/installer.js'
import { isAlive } from '../../helpers/processes.js'
import { until } from '../../helpers/deadline.js'
import { folderOf } from '../../helpers/releases.js'

const options = (facts: Partial<InstallOptions> = {}): InstallOptions => ({
  env: process.env,
  timeoutMs: 60_000,
  lifelineFd: openSync('/dev/null', 'r+'),
  onStep: () => undefined,
  onLine: () => undefined,
  signal: new AbortController().signal,
  ...facts,
})

void t.test('packages are installed when there is a lockfile and none of them', t => {
  const lock = { 'package-lock.json': '{}' }
  const commands = (files: Record<string, string>): string[] =>
    commandsFor(folderOf(t, files)).map(text => text.split(' --no-')[0] ?? '')
  t.strictSame(commands({ 'index.js': '' }), [])
  t.strictSame(commands(lock), ['npm ci --omit=dev'])
  t.strictSame(commands({ ...lock, 'node_modules/x/index.js': '' }), [])
  const build = { 'package.json': '{"scripts":{"build":"tsc"}}' }
  t.strictSame(commands({ ...lock, ...build }), ['npm ci --include=dev', 'npm run build', 'npm prune --omit=dev'])
  t.strictSame(commands({ ...build }), [])
  t.strictSame(commands({ Procfile: '# x\nweb: node .\nrelease:  ./migrate now \n' }), ['./migrate now'])
  t.end()
})

void t.test('packages that another package manager has locked are not installed, and the error says what to do', t => {
  const needs = { 'package.json': '{"dependencies":{"express":"5"}}' }
  const builds = { 'package.json': '{"scripts":{"build":"tsc"}}' }
  const workspaces = { 'package.json': '{"workspaces":["packages/*"]}' }
  const pnpmWorkspaces = { 'package.json': '{}', 'pnpm-workspace.yaml': '' }
  const unreadable = { 'package.json': '{' }
  for (const lock of ['yarn.lock', 'pnpm-lock.yaml', 'bun.lock', 'bun.lockb']) {
    for (const manifest of [needs, builds, workspaces, pnpmWorkspaces, unreadable]) {
      const wanted = new InstallError(
        `its packages are locked by ${lock}, and only npm's package-lock.json is installed: deploy the folder with its ` +
          'node_modules (an .outpostignore that does not name them counts in place of .gitignore), or with a package-lock.json',
        [],
      )
      t.throws(() => commandsFor(folderOf(t, { ...manifest, [lock]: '' })), wanted)
    }
    const without = { 'package.json': '{"devDependencies":{"typescript":"5"}}', [lock]: '' }
    t.strictSame(commandsFor(folderOf(t, without)), [], 'an app that needs no packages')
    t.strictSame(commandsFor(folderOf(t, { ...needs, [lock]: '', 'node_modules/x/index.js': '' })), [], 'that has them')
  }
  t.end()
})

void t.test('a step that fails ends the installation with its output', async t => {
  const folder = folderOf(t, { Procfile: 'release: echo one; echo two >&2; exit 3' })
  const lines: string[] = []
  const error = await install(folder, options({ onLine: line => lines.push(line) })).catch((error: unknown) => error)
  t.type(error, InstallError)
  t.match(error, { message: /failed \(exit code 3\)/, lastLines: ['one', 'two'] })
  t.strictSame(lines.sort(), ['one', 'two'])
})

void t.test('a step that takes too long is ended, with all that it has started', async t => {
  const folder = folderOf(t, { Procfile: 'release: sleep 600 & echo $! > pid; wait' })
  const begun = options({ timeoutMs: 500 })
  t.match(await install(folder, begun).catch((error: unknown) => error), { message: /took too long/ })
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  await until(() => !isAlive(pid), 'the end of what it has started')
})

void t.test('a step is ended with what has left its group, even if that keeps its output open', async t => {
  const pids: number[] = []
  const onLine = (line: string): void => void pids.push(Number(line))
  const daemons = [
    `setsid sh -c 'echo $$; exec sleep 600' & sleep 600`,
    `setsid sh -c 'echo $$; exec sleep 600 >/dev/null 2>&1' & sleep 600`,
    `setsid sh -c 'echo $$; setsid sleep 600 & wait' & sleep 600`,
  ]
  for (const daemon of daemons) {
    const folder = folderOf(t, { Procfile: `release: ${daemon}` })
    await t.rejects(install(folder, options({ timeoutMs: 500, onLine })), { message: /took too long/ })
  }
  t.equal(pids.length, daemons.length)
  for (const pid of pids) await until(() => !isAlive(pid), 'the end of what it has started')
})

void t.test('a step that succeeds is over, even if what it leaves running keeps its output open', async t => {
  let pid = 0
  const folder = folderOf(t, {
    Procfile: `release: setsid sh -c 'echo $$; exec sleep 600' & until [ -s pid ]; do :; done`,
  })
  const onLine = (line: string): void => {
    pid = Number(line)
    writeFileSync(join(folder, 'pid'), line)
  }
  await install(folder, options({ onLine }))
  t.ok(isAlive(pid), 'that may be its purpose')
  process.kill(pid)
})

void t.test('an installation that is given up runs nothing more', async t => {
  const folder = folderOf(t, { Procfile: 'release: touch ran' })
  const stopping = new AbortController()
  stopping.abort(new Error('given up'))
  await t.rejects(install(folder, options({ signal: stopping.signal })), /given up/)
  t.notOk(existsSync(join(folder, 'ran')))
})

void t.test('a step that fills the disk is ended, with all that it has started, and the reason is told', async t => {
  const folder = folderOf(t, { Procfile: 'release: sleep 600 & echo $!; wait' })
  const full = new AbortController()
  let pid = 0
  const onLine = (line: string): void => {
    pid = Number(line)
    full.abort(new Error('too little is free'))
  }
  await t.rejects(install(folder, options({ signal: full.signal, onLine })), /wait was ended: too little is free/)
  await until(() => !isAlive(pid), 'the end of what it has started')
})
