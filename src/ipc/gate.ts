import type { ChildProcess } from 'node:child_process'
import { closeSync, readSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { exit, exitCodes } from '../process/exit.js'

/** The open file of a spare worker that it waits at: after its input, its output, its channel and the lifeline. */
export const GATE_FD = 5

/** Lets a spare go on. An error means that it has exited, which is reported elsewhere. */
export function openGate({ stdio }: ChildProcess): void {
  const gate = (stdio as ReadonlyArray<unknown>)[GATE_FD] as Writable | undefined
  gate?.on('error', () => undefined).end('1')
}

/** In a spare: waits until it is wanted, in a read, so that the process sleeps. Exits if it never will be. */
export function waitAtGate(): void {
  const isWanted = readSync(GATE_FD, Buffer.alloc(1)) === 1
  closeSync(GATE_FD)
  if (!isWanted) exit(exitCodes.ok)
}
