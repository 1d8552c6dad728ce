import { spawn } from 'node:child_process'
import fs from 'node:fs'
import type { Socket } from 'node:net'
import { guardScript } from '../guard-script.js'
import type { Lifeline } from './lifeline.js'

/**
 * Makes sure that no process outlives the primary for long. After a SIGKILL of the primary, balancers and workers exit by
 * themselves; one that hangs or is stopped cannot, and the embedded servers would wait for it. The guard sees the end of
 * the primary on its own standard input, gives all processes their time, and kills what then has the lifeline open.
 * @returns a function that ends the guard, for a primary that goes on as something else
 */
export function guardAgainstOrphans(lifeline: Lifeline): () => void {
  // Opened here, because a guard that opens it later by its path might get the pipe of the next instance.
  const pipe = fs.openSync(lifeline.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const script = guardScript('orphan-guard')
  const guard = spawn('sh', [script], { detached: true, stdio: ['pipe', 'ignore', 'ignore', pipe] })
  fs.closeSync(pipe)
  guard.on('error', () => undefined).unref()
  const end = guard.stdin as Socket
  end.on('error', () => undefined).unref()
  return () => void end.destroy()
}
