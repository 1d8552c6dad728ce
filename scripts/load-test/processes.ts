import fs from 'node:fs'

/** The processes of a running Outpost, as the system shows them. */
export interface Processes {
  primary: number
  balancers: number[]
  workers: number[]
  redis: number[]
}

/**
 * Finds the Outpost that has a TCP port open, by proc(5): the socket's inode, the processes that hold it, and their
 * titles. Works for any instance of this user on this machine, wherever its data is.
 * @throws when there is none
 */
export function findProcesses(port: number): Processes {
  const inodes = listeningInodes(port)
  const primary = pids().find(pid => titleOf(pid) === 'outpost primary' && holds(pid, inodes))
  if (primary === undefined)
    throw new Error(`no Outpost of this machine has port ${port} open: chaos needs a local one`)
  const family = descendantsOf(primary)
  const titled = (start: string): number[] => family.filter(pid => titleOf(pid).startsWith(start))
  return {
    primary,
    balancers: titled('outpost balancer'),
    workers: titled('outpost worker'),
    redis: titled('redis-server'),
  }
}

/** True while it can still do something: a zombie cannot. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

function pids(): number[] {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function titleOf(pid: number): string {
  return readProc(`${pid}/cmdline`).replaceAll('\0', ' ').trim()
}

function descendantsOf(root: number): number[] {
  const parents = new Map(pids().map(pid => [pid, Number(/^PPid:\s+(\d+)/m.exec(readProc(`${pid}/status`))?.[1] ?? 0)]))
  const found = [root]
  for (const ancestor of found) for (const [pid, parent] of parents) if (parent === ancestor) found.push(pid)
  return found.slice(1)
}

const LISTEN = '0A'

function listeningInodes(port: number): Set<string> {
  const rows = [...readProc('net/tcp').split('\n'), ...readProc('net/tcp6').split('\n')].map(row =>
    row.trim().split(/\s+/),
  )
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const open = rows.filter(columns => columns[1]?.endsWith(local) === true && columns[3] === LISTEN)
  return new Set(open.map(columns => `socket:[${columns[9] ?? ''}]`))
}

function holds(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).some(fd => inodes.has(readLink(`/proc/${pid}/fd/${fd}`)))
  } catch {
    return false
  }
}

function readLink(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ''
  }
}

function readProc(path: string): string {
  try {
    return fs.readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
