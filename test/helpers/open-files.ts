import { spawnSync } from 'node:child_process'
import { openFilesOf } from '#scripts/lib/proc.js'

/** Lets a running process open a file only after it has closed another. Returns a function that lifts the limit. */
export function useUpOpenFiles(pid: number): () => void {
  const open = new Set(openFilesOf(pid))
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
