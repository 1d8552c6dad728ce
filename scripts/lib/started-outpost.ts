import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../main.js', import.meta.url))

/** An Outpost of this build, for a measurement: on a free port, without rate limits, with its data in a temporary folder. */
export class StartedOutpost {
  private constructor(
    private readonly child: ChildProcess,
    private readonly dataDir: string,
    /** Of its public port. */
    readonly url: string,
  ) {}

  /** Resolves when it serves. @param settings more of its environment @throws {Error} it ended before that */
  static async start(settings: Record<string, string> = {}): Promise<StartedOutpost> {
    const dataDir = mkdtempSync(join(tmpdir(), 'outpost-measured-'))
    const own = { HOST: '127.0.0.1', PORT: '0', RATE_LIMIT_MAX: '0', DATA_DIR: dataDir }
    const env = { ...process.env, ...own, ...settings }
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /^ {2}public +(\S+)/.exec(line)?.[1]
      if (url === undefined) continue
      child.stdout.resume()
      return new StartedOutpost(child, dataDir, url)
    }
    rmSync(dataDir, { recursive: true, force: true })
    throw new Error('Outpost did not start')
  }

  /** Of its primary. */
  get pid(): number {
    return this.child.pid ?? 0
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    await once(this.child, 'exit')
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}
