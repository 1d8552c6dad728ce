import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder, type Harness } from './harness.js'

/** The commands that the scripts call besides node, npm and the system's package manager. */
const TOOLS = [
  'bash',
  'cat',
  'dirname',
  'env',
  'find',
  'flock',
  'id',
  'ln',
  'mkdir',
  'readlink',
  'sed',
  'sh',
  'touch',
  'true',
]

/** A stand-in for the program that prints its arguments and environment. */
const PROGRAM = `
const { cwd, env, execPath } = process
console.log(JSON.stringify({ cwd: cwd(), DATA_DIR: env.DATA_DIR, PATH: env.PATH }))
`

export interface Run {
  code: number | null
  /** Standard error, with the messages of the scripts. */
  said: string[]
  /** Undefined when the program was not started. */
  started: { cwd: string; DATA_DIR?: string; PATH: string } | undefined
}

/** A built clone on a machine that has only the tools above and those that a test adds. */
export class BareMachine {
  readonly clone: string
  readonly bin: string
  readonly cache: string
  readonly cwd: string

  constructor(t: Harness) {
    const folder = realpathSync(temporaryFolder(t))
    this.clone = join(folder, 'clone')
    this.bin = join(folder, 'bin')
    this.cache = join(folder, 'cache')
    this.cwd = join(folder, 'cwd')
    const { clone, bin, cache, cwd } = this
    const inClone = ['scripts', 'dist', 'node_modules'].map(name => join(clone, name))
    for (const path of [bin, cache, cwd, ...inClone]) {
      mkdirSync(path, { recursive: true })
    }
    for (const name of ['start-cluster.sh', 'prerequisites.sh', 'test.sh']) {
      copyFileSync(join('scripts', name), join(clone, 'scripts', name))
    }
    writeFileSync(join(clone, 'dist/main.js'), PROGRAM)
    writeFileSync(join(clone, 'package.json'), '{ "type": "module", "scripts": { "build": "true" } }')
    writeFileSync(join(clone, 'package-lock.json'), '{}')
    writeFileSync(join(clone, 'node_modules/.package-lock.json'), '{}')
    for (const name of TOOLS) symlinkSync(whereIs(name), join(bin, name))
    this.has('npm', 'true')
    this.has('redis-server', 'true')
  }

  /** Adds a command, written in the language of the shell. */
  has(name: string, body: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(this.bin, name), 0o755)
  }

  hasNode(version: string): void {
    this.has('node', nodeThatSays(version))
  }

  start(env: Record<string, string> = {}, script = join(this.clone, 'scripts/start-cluster.sh')): Run {
    const run = spawnSync(script, {
      cwd: this.cwd,
      env: { PATH: this.bin, HOME: this.cache, XDG_CACHE_HOME: this.cache, ...env },
      encoding: 'utf8',
    })
    const said = run.stderr.split('\n').filter(line => line !== '')
    return {
      code: run.status,
      said,
      started: run.stdout === '' ? undefined : (JSON.parse(run.stdout) as Run['started']),
    }
  }
}

/** This Node under another version number. */
export function nodeThatSays(version: string): string {
  return `[ "$1" = -p ] && echo ${version} || exec '${process.execPath}' "$@"`
}

function whereIs(name: string): string {
  const { stdout } = spawnSync('sh', ['-c', 'command -v "$0"', name], { encoding: 'utf8' })
  const path = stdout.trim()
  // The shell's own `true`.
  return path.startsWith('/') ? path : `/bin/${name}`
}
