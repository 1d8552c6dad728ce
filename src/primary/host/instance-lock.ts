import { spawnSync } from 'node:child_process'
import fs from 'node:fs'

/** Another primary uses the same DATA_DIR. */
export class InstanceRunningError extends Error {
  constructor(dataDir: string, holder: string) {
    super(`another Outpost (pid ${holder}) runs on ${dataDir}: stop it first, or set DATA_DIR to another folder`)
    this.name = 'InstanceRunningError'
  }
}

/**
 * One instance per DATA_DIR. The lock is the kernel's (flock(2) on an open file). It ends with the process that holds
 * it, so there is no stale lock and no guessing from process ids. Node has no call for it; the
 * `flock` command (util-linux, on every Debian) locks the file that this process has opened and hands to it.
 *
 * @returns a function that releases the lock
 * @throws {InstanceRunningError}
 */
export function lockInstance(lockFile: string, dataDir: string): () => void {
  const file = fs.openSync(lockFile, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  const { status, error } = spawnSync('flock', ['--nonblock', '3'], { stdio: ['ignore', 'ignore', 'ignore', file] })
  if (error !== undefined) throw new Error(`the "flock" command (package util-linux) is needed: ${error.message}`)
  if (status !== 0) {
    const holder = fs.readFileSync(lockFile, 'utf8').trim()
    fs.closeSync(file)
    throw new InstanceRunningError(dataDir, holder)
  }
  fs.ftruncateSync(file)
  fs.writeSync(file, `${process.pid}\n`, 0)
  return () => fs.closeSync(file)
}
