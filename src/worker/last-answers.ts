import fs from 'node:fs'
import { noteOf, noteState } from '../ipc/request-notes.js'
import type { OpenCall, OpenCalls } from './open-calls.js'
import { owed, type Owed, type OwedAnswers } from './owed-answers.js'

/** The id in the answer that is made for each request. */
export const SAMPLE_ID = '00000000-0000-4000-8000-000000000000'

/** Closing over unread bytes would reset the connection and lose the answer: they are read and dropped first. */
const LINGER_ROUNDS = 4
const LINGER_MS = 50
/** How much of what a client still sends is read from its connection. */
const MOST_READS = 64
const PIECE = 65_536

/**
 * Notes the requests of a worker that hangs, and answers its clients. Nothing here waits for a client.
 * @param answer the last answer on a connection, for a request with the id `SAMPLE_ID`
 */
export function answerInPlace(answers: OwedAnswers, open: OpenCalls, answer: string, notesPath: string): void {
  const calls = open.read()
  const taken = answers.take()
  // A full disk costs the name in the log.
  attempt(() => fs.writeFileSync(notesPath, notesOf(calls, taken), { encoding: 'latin1', mode: 0o600 }))
  const ids = new Map(calls.map(({ file, id }) => [file, id]))
  for (const [file, what] of taken) {
    const text = answerFor(answer, ids.get(file) ?? randomId(), what)
    attempt(() => fs.writeSync(file, text, null, 'latin1'))
  }
  const piece = Buffer.alloc(PIECE)
  for (let round = 0; round < LINGER_ROUNDS; round += 1) {
    for (const file of taken.keys()) attempt(() => dropUnread(file, piece))
    sleep(LINGER_MS)
  }
}

/**
 * The notes of the requests that may be the reason: the one that the app was being called with, and those whose answers have
 * not begun. A request that is alone counts as the one of the call.
 */
export function notesOf(calls: readonly OpenCall[], taken: ReadonlyMap<number, Owed>): string {
  const waiting = calls.filter(({ file, isCalled }) => isCalled || file < 0 || taken.has(file))
  const isAlone = waiting.length === 1
  const notes = waiting.map(({ method, path, file, isCalled }) =>
    noteOf(method, path, file >= 0, isCalled || isAlone ? noteState.called : noteState.open),
  )
  return notes.join('')
}

/** @param sample an answer with the id `SAMPLE_ID` */
export function answerFor(sample: string, id: string, what: Owed): string {
  const [head = '', body = ''] = sample.replaceAll(SAMPLE_ID, () => id).split('\r\n\r\n')
  const changed = head
    .replace(/^content-length: .*$/m, `content-length: ${body.length}`)
    .replace(/^date: .*$/m, `date: ${new Date().toUTCString()}`)
  return `${changed}\r\n\r\n${what === owed.head ? '' : body}`
}

/** For a request that the app does not have. Other answers have one of Node's, whose module is too large for a thread. */
function randomId(): string {
  return SAMPLE_ID.replaceAll('0', () => Math.floor(Math.random() * 16).toString(16))
}

function dropUnread(file: number, piece: Buffer): void {
  for (let reads = 0; reads < MOST_READS; reads += 1) if (fs.readSync(file, piece) < piece.length) return
}

function attempt(action: () => void): void {
  try {
    action()
  } catch {
    // Its client has left, or takes nothing.
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
