/** The proc(5) reader of tests, scripts and bench. A process that has exited, or is another user's, reads as empty. */

import fs from 'node:fs'
import { allPids, statOf } from '#src/process/process-table.js'

export { allPids, kill } from '#src/process/process-table.js'

const TICKS_PER_SECOND = 100 // USER_HZ, the same on every Linux

/** @param path below /proc */
export function readProc(path: string): string {
  try {
    return fs.readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}

/** @param path of a symbolic link below /proc */
export function readProcLink(path: string): string {
  try {
    return fs.readlinkSync(`/proc/${path}`)
  } catch {
    return ''
  }
}

/** As `ps` shows it, e.g. `outpost worker 3`. */
export function titleOf(pid: number): string {
  return readProc(`${pid}/cmdline`).replaceAll('\0', ' ').trim()
}

/** False for a zombie as well: it has ended, though its parent has not asked how. */
export function isAlive(pid: number): boolean {
  const [state] = statOf(pid) ?? []
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** The elders and all processes that descend from them. */
export function familyOf(elders: readonly number[]): number[] {
  const parents = new Map(allPids().map(pid => [pid, Number(statOf(pid)?.[1])]))
  const family = [...elders]
  for (const elder of family) {
    for (const [pid, parent] of parents) if (parent === elder && !family.includes(pid)) family.push(pid)
  }
  return family
}

/** Processor time that processes have used, in microseconds. Children that have ended count with their parents. */
export function cpuMicros(pids: readonly number[]): number {
  const ticks = pids.flatMap(pid => statOf(pid)?.slice(11, 15).map(Number) ?? [])
  return (ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND) * 1e6
}

/** Resident memory of processes, in bytes; pages that are shared count once for each. */
export function residentBytes(pids: readonly number[]): number {
  return sumOfKib(pids, 'status', /^VmRSS:\s+(\d+) kB/m)
}

/** Memory of processes in bytes, where a page that is shared counts in parts for each (proportional set size). */
export function proportionalBytes(pids: readonly number[]): number {
  return sumOfKib(pids, 'smaps_rollup', /^Pss:\s+(\d+) kB/m)
}

function sumOfKib(pids: readonly number[], file: string, figure: RegExp): number {
  return pids.reduce((sum, pid) => sum + Number(figure.exec(readProc(`${pid}/${file}`))?.[1] ?? 0) * 1024, 0)
}

/** How many files this process may have open: the hard limit, up to which Node raises its own. */
export function hardOpenFilesLimit(): number {
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readProc('self/limits'))?.[1] ?? 4_096)
}

/** Whether a process has one of these files open; each is named as /proc/PID/fd does, e.g. `socket:[42]`. */
export function holds(pid: number, files: ReadonlySet<string>): boolean {
  return openFilesOf(pid).some(fd => files.has(readProcLink(`${pid}/fd/${fd}`)))
}

/** The numbers of the open files of a process. */
export function openFilesOf(pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`)
  } catch {
    return []
  }
}

/** The states of TCP sockets, as net/tcp has them. */
const ESTABLISHED = '01'
const LISTEN = '0A'

/** The sockets that listen on a TCP port, named as /proc/PID/fd does. */
export function listeningSockets(port: number): Set<string> {
  return new Set(tcpSockets(port, LISTEN).map(columns => `socket:[${columns[9] ?? ''}]`))
}

/** How many connections to a port of this machine are established. */
export function connectionsTo(port: number): number {
  return tcpSockets(port, ESTABLISHED).length
}

function tcpSockets(port: number, state: string): string[][] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = [...rowsOf('net/tcp'), ...rowsOf('net/tcp6')]
  return rows.filter(columns => columns[1]?.endsWith(local) === true && columns[3] === state)
}

/** The unix sockets that processes have bound: the path of each, and its name as /proc/PID/fd has it. */
export function boundUnixSockets(): Array<{ path: string; file: string }> {
  return rowsOf('net/unix').flatMap(columns => {
    const path = columns.slice(7).join(' ')
    return path.startsWith('/') ? [{ path, file: `socket:[${columns[6] ?? ''}]` }] : []
  })
}

function rowsOf(table: string): string[][] {
  return readProc(table)
    .split('\n')
    .map(row => row.trim().split(/\s+/))
}
