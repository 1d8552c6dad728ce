import type { ChildProcess } from 'node:child_process'
import { closeSync, readSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { exit, exitCodes } from '../process/exit.js'

/** The open file of a spare worker that it waits at: after its input, its output, its channel and the lifeline. */
export const GATE_FD = 5

/** An error of the gate means that the spare has exited, which is reported elsewhere. */
export function guardGate(spare: ChildProcess): void {
  gateOf(spare)?.on('error', () => undefined)
}

/** Lets a spare continue. */
export function openGate(spare: ChildProcess): void {
  gateOf(spare)?.end('1')
}

/** Undefined for a process that could not be started. */
function gateOf({ stdio }: ChildProcess): Writable | undefined {
  return (stdio as ReadonlyArray<unknown> | undefined)?.[GATE_FD] as Writable | undefined
}

/** In a spare: waits until it is wanted, in a read, so that the process sleeps. Exits if it never will be. */
export function waitAtGate(): void {
  const isWanted = readSync(GATE_FD, Buffer.alloc(1)) === 1
  closeSync(GATE_FD)
  if (!isWanted) exit(exitCodes.ok)
}
