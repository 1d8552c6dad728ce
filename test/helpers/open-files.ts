import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

/** From now on a running process can open a file only when it has closed another. Returns what lets it go on as before. */
export function useUpOpenFiles(pid: number): () => void {
  const open = new Set(readdirSync(`/proc/${pid}/fd`))
  let free = 0
  while (open.has(String(free))) free += 1
  const before = limit(pid, '--output=SOFT', '--noheadings', '--nofile')
  limit(pid, `--nofile=${free}:`)
  return () => void limit(pid, `--nofile=${before}:`)
}

function limit(pid: number, ...options: string[]): string {
  const { status, stdout, stderr } = spawnSync('prlimit', ['--pid', String(pid), ...options], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
  return stdout.trim()
}
