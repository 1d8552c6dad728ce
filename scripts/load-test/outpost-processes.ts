import { allPids, boundUnixSockets, familyOf, holds, listeningSockets, titleOf } from '../lib/proc.js'

/** The processes of a running Outpost, as the system shows them. */
export interface OutpostProcesses {
  primary: number
  balancers: number[]
  workers: number[]
  redis: number[]
}

/**
 * Finds the Outpost that has a TCP port open: the processes that hold the socket, by their titles. Works for any
 * instance of this user on this machine, wherever its data is.
 * @throws when there is none
 */
export function findProcesses(port: number): OutpostProcesses {
  const sockets = listeningSockets(port)
  const primary = allPids().find(pid => titleOf(pid) === 'outpost primary' && holds(pid, sockets))
  if (primary === undefined)
    throw new Error(`no Outpost of this machine has port ${port} open: chaos needs a local one`)
  const family = familyOf([primary])
  const titled = (start: string): number[] => family.filter(pid => titleOf(pid).startsWith(start))
  return {
    primary,
    balancers: titled('outpost balancer'),
    workers: titled('outpost worker'),
    redis: titled('redis-server'),
  }
}

/**
 * The path of the control socket that a primary listens on.
 * @throws when there is none
 */
export function controlSocketOf(primary: number): string {
  const bound = boundUnixSockets().filter(({ path }) => path.endsWith('/control.sock'))
  const found = bound.find(({ file }) => holds(primary, new Set([file])))
  if (found === undefined) throw new Error(`the Outpost with pid ${primary} has no control socket`)
  return found.path
}
