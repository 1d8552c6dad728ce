/**
 * Everything the bench starts, so that it can be ended by its id, whatever happens. Each child leads a process group
 * of its own: what it starts in turn goes with it.
 */
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const STOP_MS = 8_000

/** The folder of this run: configurations, logs, sockets. Short, since a unix socket's path may have 104 bytes. */
export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))

const running = new Set()
const lastResorts = new Set()

/** A new folder inside that of this run. */
export function newFolder(name) {
  return fs.mkdtempSync(path.join(folder, `${name}-`))
}

/** Only what a program needs to run: settings of the person at the keyboard are no part of a measurement. */
export function cleanEnvironment(more = {}) {
  const { PATH, HOME, LANG } = process.env
  return { PATH: `${PATH}:/usr/sbin:/sbin`, HOME, LANG: LANG ?? 'C.UTF-8', NODE_ENV: 'production', ...more }
}

/** Starts a program whose output goes to a file; `child.logFile` names it. */
export function start(name, command, args, { env = {}, cwd = folder } = {}) {
  const logFile = path.join(folder, `${name}.log`)
  const log = fs.openSync(logFile, 'a')
  const child = spawn(command, args, { cwd, env: cleanEnvironment(env), detached: true, stdio: ['ignore', log, log] })
  fs.closeSync(log)
  running.add(child)
  child.logFile = logFile
  child.over = new Promise(resolve => {
    child.once('error', resolve)
    child.once('exit', resolve)
  })
  return child
}

/** Asks it to end, and ends its group when it has not, or when it left somebody behind. */
export async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) child.kill(signal)
  const late = new Promise(resolve => setTimeout(resolve, STOP_MS).unref())
  await Promise.race([child.over, late])
  killGroup(child)
  running.delete(child)
}

/** Runs a program to its end. Throws with its output when it fails. */
export function run(command, args, { env = {}, cwd = folder, timeoutMs = 60_000 } = {}) {
  const result = spawnSync(command, args, { cwd, env: cleanEnvironment(env), encoding: 'utf8', timeout: timeoutMs })
  if (result.status !== 0) {
    const said = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().slice(-2_000)
    throw new Error(`${path.basename(command)} ${args.join(' ')}: ${result.error?.message ?? said}`)
  }
  return result.stdout
}

/** Where a system program is; undefined when it is not installed. */
export function findProgram(name) {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return places.map(place => path.join(place, name)).find(file => fs.existsSync(file))
}

/** Something to do, synchronously, if the bench ends before it has called what this returns. */
export function asLastResort(work) {
  lastResorts.add(work)
  return () => lastResorts.delete(work)
}

function killGroup({ pid }) {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // There is nobody left in it.
  }
}

process.on('exit', () => {
  for (const work of lastResorts) {
    try {
      work()
    } catch {
      // The others still have to be ended.
    }
  }
  for (const child of running) killGroup(child)
  if (process.env.BENCH_KEEP !== '1') fs.rmSync(folder, { recursive: true, force: true })
})
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => process.exit(code))
}
