import fs from 'node:fs'
import { workerData } from 'node:worker_threads'
import { answerInPlace } from './last-answers.js'
import { OpenCalls } from './open-calls.js'
import { OwedAnswers } from './owed-answers.js'
import type { StandInData } from './stand-in.js'

/** How often it looks whether the event loop has come on. */
const WATCH_MS = 2_000
/** How often it looks for the sign once the event loop is silent. */
const LOOK_MS = 100

/** The thread of a stand-in. Everything it does blocks, so it needs no event loop. */
function standIn({ pid, beats, answers, calls, signPath, notesPath, answer }: StandInData): void {
  waitForSign(new Int32Array(beats), signPath)
  try {
    answerInPlace(new OwedAnswers(answers), new OpenCalls(calls), answer, notesPath)
  } finally {
    process.kill(pid, 'SIGKILL')
  }
}

function waitForSign(beats: Int32Array, signPath: string): void {
  let before = -1
  for (;;) {
    const now = Atomics.load(beats, 0)
    const isSilent = now === before
    if (isSilent && fs.existsSync(signPath)) return
    before = now
    Atomics.wait(beats, 0, now, isSilent ? LOOK_MS : WATCH_MS)
  }
}

standIn(workerData as StandInData)
