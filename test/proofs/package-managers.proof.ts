import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, symlinkSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { install } from '#src/primary/releases/installer.js'
import { temporaryFolder } from '../helpers/harness.js'
import { folderOf } from '../helpers/releases.js'

const run = promisify(execFile)

const FETCH_MS = 30_000

/** The command of a package manager, in the version that a lockfile is for. */
interface Manager {
  /** The name that a person knows. */
  readonly name: string
  readonly command: string
  readonly from: string
  readonly bin: string
  readonly lock: readonly string[]
}

const managers: readonly Manager[] = [
  { name: 'pnpm', command: 'pnpm', from: 'pnpm@10', bin: 'pnpm/bin/pnpm.cjs', lock: ['install', '--lockfile-only'] },
  { name: 'yarn 1', command: 'yarn', from: 'yarn@1.22', bin: 'yarn/bin/yarn.js', lock: ['install'] },
  {
    name: 'yarn 4',
    command: 'yarn',
    from: '@yarnpkg/cli-dist@4',
    bin: '@yarnpkg/cli-dist/bin/yarn.js',
    lock: ['install', '--mode=update-lockfile'],
  },
]

const BUILD = `node -e "require('is-odd'); require('fs').writeFileSync('built', '')"`

/** Without the packages that may be there already. */
const LOCKS = new Set(['pnpm-lock.yaml', 'yarn.lock'])

for (const { name, command, from, bin, lock } of managers) {
  void t.test(`${name} installs what its lockfile says, and leaves out what is for development`, async t => {
    const folder = temporaryFolder(t)
    const npmrc = join(homedir(), '.npmrc')
    const env = {
      ...process.env,
      HOME: folder,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      NODE_ENV: 'production',
      ...(existsSync(npmrc) && { NPM_CONFIG_USERCONFIG: npmrc }),
    }
    mkdirSync(join(folder, 'bin'))
    const fetched = run('npm', ['install', '--silent', '--fetch-retries=0', '--prefix', folder, from], {
      env,
      timeout: FETCH_MS,
    })
    const failure = await fetched.then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    if (failure !== undefined) return t.pass(`npm cannot install ${from} here`, { skip: true })
    const path = join(folder, 'node_modules', bin)
    // Some versions come without the right to run.
    await run('chmod', ['+x', path])
    symlinkSync(path, join(folder, 'bin', command))
    const needs = { dependencies: { ms: '2.1.2' }, devDependencies: { 'is-odd': '3.0.1' } }
    for (const scripts of [{}, { build: BUILD }]) {
      const app = folderOf(t, { 'package.json': JSON.stringify({ name: 'app', version: '1.0.0', scripts, ...needs }) })
      // Yarn 4 takes the folder above for the project unless this one has a lockfile.
      if (name === 'yarn 4') await run('touch', [join(app, 'yarn.lock')])
      await run(command, [...lock], { env, cwd: app })
      const lockfile = readdirSync(app).find(each => LOCKS.has(each)) ?? ''
      const kept = ['package.json', lockfile]
      await run(
        'find',
        [
          '.',
          '-mindepth',
          '1',
          '-maxdepth',
          '1',
          ...kept.flatMap(each => ['!', '-name', each]),
          '-exec',
          'rm',
          '-rf',
          '{}',
          '+',
        ],
        { cwd: app },
      )
      const printed: string[] = []
      await install(app, {
        env,
        timeoutMs: 120_000,
        lifelineFd: openSync('/dev/null', 'r+'),
        onStep: step => printed.push(`$ ${step}`),
        onLine: line => printed.push(line),
        signal: new AbortController().signal,
      }).catch((error: unknown) => t.fail(String(error), { printed }))
      const packages = readdirSync(join(app, 'node_modules')).filter(each => !each.startsWith('.'))
      t.strictSame(packages, ['ms'], printed.join('\n'))
      t.equal(existsSync(join(app, 'built')), 'build' in scripts)
      const { stdout } = await run('node', ['-p', "require('ms/package.json').version"], { cwd: app })
      t.equal(stdout.trim(), '2.1.2')
    }
  })
}
