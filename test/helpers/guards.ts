import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A shell script in the folder `guards` that acts when the test process has ended, even by SIGKILL. */
export function guardScript(name: 'primary-guard' | 'instances-guard' | 'server-guard'): string {
  return fileURLToPath(new URL(`../../../test/helpers/guards/${name}.sh`, import.meta.url))
}

/** Starts a guard over what the word names. Kill it when there is nothing left to guard. */
export function startGuard(name: 'primary-guard' | 'instances-guard', word: string): ChildProcess {
  const guard = spawn('sh', [guardScript(name), word], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.stdin.on('error', () => undefined)
  guard.unref()
  return guard
}
