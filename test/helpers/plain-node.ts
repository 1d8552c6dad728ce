import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from '#scripts/lib/free-port.js'
import { bareNode } from './bare-node.js'
import { ask } from './client.js'
import { until, within } from './deadline.js'
import type { Harness } from './harness.js'

/** The folder of the apps of strangers: sources, as they come. */
export const strangers = fileURLToPath(new URL('../../../test/fixtures/apps/', import.meta.url))

/** An app under plain node, to compare with. */
export class PlainNode {
  output = ''

  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {
    for (const stream of [process.stdout, process.stderr]) stream?.on('data', data => (this.output += String(data)))
  }

  /** Waits until it answers. */
  static async start(t: Harness, args: string[], env: Record<string, string> = {}): Promise<PlainNode> {
    const port = await freePort()
    const { PATH = '' } = process.env
    const options = { cwd: strangers, env: { PATH, PORT: String(port), ...env } }
    const [file, words] = bareNode
    const app = new PlainNode(spawn(file, [...words, ...args], options), port)
    t.teardown(() => app.process.kill('SIGKILL'))
    const answers = async (): Promise<boolean> =>
      ask(app.url, '/').then(
        () => true,
        () => false,
      )
    await until(answers, `an answer of ${args.join(' ')}`, 20_000)
    return app
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = once(this.process, 'close') as Promise<[number | null]>
    this.process.kill(signal)
    const [code] = await within(ended, `the end after ${signal}`)
    return code
  }
}
