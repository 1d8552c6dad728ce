import { spawn } from 'node:child_process'
import fs from 'node:fs'
import type { Socket } from 'node:net'
import type { Lifeline } from './lifeline.js'

/**
 * Sees to it that nobody outlives the primary for long. Balancers and workers leave by themselves when it has died; one
 * that hangs, or was stopped, cannot, and the embedded servers would wait for it. The guard hears of the primary's end by
 * its own standard input, gives all of them their time, and kills who still has the lifeline open after that.
 */
export function guardAgainstOrphans(lifeline: Lifeline): void {
  // Opened here: by its path a guard that is late might come upon the pipe of the next instance.
  const pipe = fs.openSync(lifeline.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const command = ['-c', GUARD, 'outpost-orphan-guard']
  const guard = spawn('sh', command, { detached: true, stdio: ['pipe', 'ignore', 'ignore', pipe] })
  fs.closeSync(pipe)
  guard.on('error', () => undefined).unref()
  const end = guard.stdin as Socket
  end.on('error', () => undefined).unref()
}

/**
 * Holders have the pipe open for reading and writing (proc(5): the last octal digit of their flags is 2); the embedded
 * servers and their guards only read from it, and leave when the holders have. A store may take its eight seconds for
 * that; what holds the pipe after nine does not move any more.
 */
const GUARD = `
trap '' INT HUP
who() {
  exec 3<&-
  for fd in /proc/[0-9]*/fd/*; do
    [ "$fd" -ef /proc/$$/fd/3 ] || continue
    pid=\${fd#/proc/}; pid=\${pid%%/*}
    [ "$pid" = $$ ] && continue
    grep -q "^flags:.*$1" "/proc/$pid/fdinfo/\${fd##*/}" 2>/dev/null && echo "$pid"
  done
}
end() {
  left=$2
  while [ -n "$(who "$1")" ] && [ $left -gt 0 ]; do sleep 0.5 2>/dev/null || sleep 1; left=$((left - 1)); done
  for pid in $(who "$1"); do kill -KILL "$pid" 2>/dev/null; done
}
read -r _
end '2$' 9
end '$' 18
`
