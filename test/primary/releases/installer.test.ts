import { chmodSync, existsSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { install, InstallError, stepsFor, type InstallOptions } from '#src/primary/releases/installer.js'
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
    stepsFor(folderOf(t, files), process.env).map(({ command }) => command.split(' --no-')[0] ?? '')
  t.strictSame(commands({ 'index.js': '' }), [])
  t.strictSame(commands(lock), ['npm ci --omit=dev'])
  t.strictSame(commands({ ...lock, 'node_modules/x/index.js': '' }), [])
  const build = { 'package.json': '{"scripts":{"build":"tsc"}}' }
  t.strictSame(commands({ ...lock, ...build }), ['npm ci --include=dev', 'npm run build', 'npm prune --omit=dev'])
  t.strictSame(commands({ ...build }), [])
  t.strictSame(commands({ Procfile: '# x\nweb: node .\nrelease:  ./migrate now \n' }), ['./migrate now'])
  t.end()
})

const LATER = (version: number): string => `# yarn\n\n__metadata:\n  version: ${version}\n  cacheKey: 1\n`

void t.test('packages that another package manager has locked are installed by its command, if that is in PATH', t => {
  const bin = folderOf(t, Object.fromEntries(['yarn', 'pnpm', 'bun'].map(name => [name, ''])))
  for (const name of ['yarn', 'pnpm', 'bun']) chmodSync(join(bin, name), 0o755)
  const commands = (lock: Record<string, string>, build: boolean): string[] => {
    const manifest = { dependencies: { ms: '2' }, ...(build && { scripts: { build: 'tsc' } }) }
    const folder = folderOf(t, { ...lock, 'package.json': JSON.stringify(manifest) })
    return stepsFor(folder, { PATH: bin }).map(({ command }) => command)
  }
  t.match(commands({ 'pnpm-lock.yaml': '' }, false), [/^pnpm install --frozen-lockfile --prod$/])
  t.match(commands({ 'pnpm-lock.yaml': '' }, true), [/--prod=false$/, /^pnpm run build$/, /^pnpm .* --prod --offline/])
  t.match(commands({ 'yarn.lock': '# yarn lockfile v1\n' }, false), [/^yarn install --frozen-lockfile .*--production$/])
  t.match(commands({ 'yarn.lock': '' }, true), [
    /--production=false$/,
    'yarn run build',
    /--production --ignore-scripts/,
  ])
  const focus = 'yarn workspaces focus --all --production'
  const later = ['yarn --version', 'yarn install --immutable']
  t.strictSame(commands({ 'yarn.lock': LATER(8) }, false), [...later, focus])
  t.strictSame(commands({ 'yarn.lock': LATER(10) }, true), [...later, 'yarn run build', focus])
  t.strictSame(commands({ 'yarn.lock': LATER(6) }, true), [...later, 'yarn run build'], 'yarn 3 has no such command')
  t.match(commands({ 'bun.lock': '' }, false), ['bun install --frozen-lockfile --production'])
  t.match(commands({ 'bun.lockb': '' }, true), [
    /lockfile$/,
    'bun run build',
    /^rm -rf node_modules && bun .*--production$/,
  ])
  t.match(commands({ 'package-lock.json': '{}', 'yarn.lock': '' }, false), [/^npm ci/], 'npm is the first choice')
  t.end()
})

void t.test('without the command of its package manager an app is not installed, and the error says what to do', t => {
  const needs = { 'package.json': '{"dependencies":{"express":"5"}}' }
  const builds = { 'package.json': '{"scripts":{"build":"tsc"}}' }
  const workspaces = { 'package.json': '{"workspaces":["packages/*"]}' }
  const pnpmWorkspaces = { 'package.json': '{}', 'pnpm-workspace.yaml': '' }
  const unreadable = { 'package.json': '{' }
  const env = { PATH: '/nowhere' }
  for (const [lock, name] of [
    ['yarn.lock', 'yarn'],
    ['pnpm-lock.yaml', 'pnpm'],
    ['bun.lock', 'bun'],
    ['bun.lockb', 'bun'],
  ] as const) {
    for (const manifest of [needs, builds, workspaces, pnpmWorkspaces, unreadable]) {
      const wanted = new InstallError(
        `the packages are locked by ${lock}, and there is no command ${name} in the PATH of the instance: install ${name}, ` +
          'or deploy the folder with its node_modules (an .outpostignore that does not name them counts in place of .gitignore), ' +
          'or with a package-lock.json',
        [],
      )
      t.throws(() => stepsFor(folderOf(t, { ...manifest, [lock]: '' }), env), wanted)
    }
    const without = { 'package.json': '{"devDependencies":{"typescript":"5"}}', [lock]: '' }
    t.strictSame(stepsFor(folderOf(t, without), env), [], 'an app that needs no packages')
    t.strictSame(
      stepsFor(folderOf(t, { ...needs, [lock]: '', 'node_modules/x/index.js': '' }), env),
      [],
      'that has them',
    )
  }
  t.end()
})

void t.test('yarn 1 does not install the lockfile of a later yarn, which it would ignore', async t => {
  const folder = folderOf(t, { 'package.json': '{"dependencies":{"ms":"2"}}', 'yarn.lock': LATER(8) })
  const bin = folderOf(t, { yarn: `#!/bin/sh\n[ "$1" = --version ] && echo 1.22.22 || touch '${folder}/installed'\n` })
  chmodSync(join(bin, 'yarn'), 0o755)
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` }
  await t.rejects(install(folder, options({ env })), {
    message: 'yarn.lock is of a later yarn than the one in PATH, 1.22.22',
  })
  t.notOk(existsSync(join(folder, 'installed')))
})

void t.test('a step that fails ends the installation with its output', async t => {
  const folder = folderOf(t, { Procfile: 'release: echo one; echo two >&2; exit 3' })
  const lines: string[] = []
  const error = await install(folder, options({ onLine: line => lines.push(line) })).catch((error: unknown) => error)
  t.type(error, InstallError)
  t.match(error, { message: /failed \(exit code 3\)/, lastLines: ['one', 'two'] })
  t.strictSame(lines.sort(), ['one', 'two'])
})

void t.test('the first lines of a long output stay in the error, since npm says the reason first', async t => {
  const folder = folderOf(t, { Procfile: 'release: echo reason; seq 200; exit 1' })
  const error = (await install(folder, options()).catch((error: unknown) => error)) as InstallError
  t.match([error.lastLines[0], error.lastLines.at(-1)], ['reason', '200'])
})

void t.test('a step that takes too long is ended', async t => {
  const folder = folderOf(t, { Procfile: 'release: sleep 600' })
  await t.rejects(install(folder, options({ timeoutMs: 500 })), { message: 'sleep 600 took too long' })
})

void t.test('a step is ended with what has left its group, even if that keeps its output open', async t => {
  const daemons = [
    `setsid sh -c 'echo $$; exec sleep 600' & sleep 600`,
    `setsid sh -c 'echo $$; exec sleep 600 >/dev/null 2>&1' & sleep 600`,
    `setsid sh -c 'echo $$; setsid sleep 600 & wait' & sleep 600`,
  ]
  for (const daemon of daemons) {
    const folder = folderOf(t, { Procfile: `release: ${daemon}` })
    const ending = new AbortController()
    let pid = 0
    const onLine = (line: string): void => {
      pid = Number(line)
      ending.abort(new Error('given up'))
    }
    await t.rejects(install(folder, options({ signal: ending.signal, onLine })), { message: /was ended: given up/ })
    await until(() => !isAlive(pid), 'the end of what it has started')
  }
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

void t.test('a step that fills the disk is ended, with all that it has started, and the error says why', async t => {
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
