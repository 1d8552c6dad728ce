import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { registeredInstances } from '#src/control/instance-registry.js'
import { isAlive, kill, titleOf } from '#scripts/lib/proc.js'
import { bareNode } from './bare-node.js'
import { until, within } from './deadline.js'
import { startGuard } from './guards.js'
import { temporaryFolder, type Harness } from './harness.js'

/** The compiled command. */
export const command = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url))

export interface Ran {
  code: number | null
  out: string
  err: string
}

interface RunOptions {
  env?: Record<string, string>
  cwd?: string
  /** Receives what it has printed to stderr so far, each time that there is more. */
  onError?: (text: string) => void
}

const COMMAND_MS = 60_000

/**
 * A person at a shell: types commands in a folder of their own, and sees no instance but their own. What they leave
 * running is ended after the test.
 */
export class Shell {
  readonly folder: string
  readonly env: Record<string, string>

  constructor(t: Harness) {
    this.folder = realpathSync(temporaryFolder(t, 'outpost-cli-'))
    const { PATH = '', HOME = '' } = process.env
    const state = join(this.folder, 'state')
    this.env = { PATH, HOME, XDG_STATE_HOME: state, XDG_CACHE_HOME: state, HOST: '127.0.0.1', PORT: '0', WORKERS: '1' }
    const guard = startGuard('instances-guard', state)
    t.teardown(async () => {
      for (const { pid, dataDir } of this.instances()) await end(pid, dataDir)
      guard.kill('SIGKILL')
    })
  }

  /** The instances that run or have been killed. */
  instances(): Array<{ dataDir: string; pid: number }> {
    return registeredInstances(join(this.folder, 'state'))
  }

  /** Types `outpost` and these words, and waits for the end. */
  async run(words: readonly string[], { env = {}, cwd = this.folder, onError }: RunOptions = {}): Promise<Ran> {
    const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
    const [file, before] = bareNode
    const child = spawn(file, [...before, command, ...words], { cwd, env: { ...this.env, ...env }, stdio })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', chunk => (out += String(chunk)))
    child.stderr.setEncoding('utf8').on('data', chunk => {
      err += String(chunk)
      onError?.(err)
    })
    const what = `the end of outpost ${words.join(' ')}`
    const [code] = (await within(once(child, 'close'), what, COMMAND_MS)) as [number | null]
    return { code, out, err }
  }

  /** The same, of a command that has to succeed and prints one JSON document. */
  async json(words: readonly string[], options?: RunOptions): Promise<unknown> {
    const { code, out, err } = await this.run([...words, '--json'], options)
    if (code !== 0) throw new Error(`outpost ${words.join(' ')} ended with ${String(code)}: ${out}${err}`)
    return JSON.parse(out)
  }
}

async function end(pid: number, dataDir: string): Promise<void> {
  if (titleOf(pid) === 'outpost primary') kill(pid, 'SIGTERM')
  await until(() => !isAlive(pid), `the end of the instance on ${dataDir}`, COMMAND_MS)
}
