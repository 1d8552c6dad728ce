import type { Logger } from '../../process/log.js'
import type { RestartVerdict } from '../plan/restart-policy.js'
import type { Side } from './side.js'

/** Every message about Procfile processes. */
export class SideLog {
  readonly #remarks = new Set<string>()

  constructor(private readonly log: Logger) {}

  unreadable(name: string, command: string): void {
    this.log.error(
      { child: name, command },
      `process ${name} is not run: its line in the Procfile has an unclosed quote`,
    )
  }

  /** Each once. */
  remark(name: string, remark: string): void {
    const message = `line ${name} of the Procfile ${remark}`
    if (this.#remarks.has(message)) return
    this.#remarks.add(message)
    this.log.warn(message)
  }

  started({ name, pid, spec }: Side): void {
    this.log.debug({ child: name, pid, release: spec.release }, 'process is started')
  }

  kills({ name, pid }: Side): void {
    this.log.warn({ child: name, pid }, 'process is killed: it did not end in time after SIGTERM')
  }

  lost({ name, pid, ending, ranMs, lastLines }: Side, { kind, delayMs, isNews }: RestartVerdict): void {
    const facts = { child: name, pid, ending, ranMs: Math.round(ranMs) }
    if (kind === 'now') this.log.warn(facts, 'process exited and is replaced')
    else if (kind === 'backoff')
      this.log.error({ ...facts, nextTryMs: delayMs, lastLines }, 'process exited soon after its start')
    else if (isNews) {
      this.log.error(
        { ...facts, lastLines },
        'process is in a crash loop: its place stays empty, and one start a minute is tried',
      )
    }
  }
}
