import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { hangSignPath } from '../ipc/hang-sign.js'
import { requestNotesPath } from '../ipc/request-notes.js'
import type { Logger } from '../process/log.js'
import { OpenCalls } from './open-calls.js'
import { OwedAnswers } from './owed-answers.js'
import { hideThread } from './own-threads.js'

/** Later than the first request, which must not wait for it. */
const START_MS = 1_000
const BEAT_MS = 1_000

/** All that the thread of a stand-in gets. */
export interface StandInData {
  pid: number
  /** One number, which changes each second while the event loop runs. */
  beats: SharedArrayBuffer
  answers: SharedArrayBuffer
  calls: SharedArrayBuffer
  signPath: string
  notesPath: string
  /** The answer that clients get, for a request with the id `SAMPLE_ID`. */
  answer: string
}

/**
 * A thread that answers in place of a worker of mesh mode whose event loop hangs, since nobody else has the connections
 * of its clients. It sleeps until the primary tells it by a file that the worker is killed.
 */
export class StandIn {
  readonly answers = new OwedAnswers()
  readonly calls = new OpenCalls()

  /** @param answer the last answer on a connection, for a request with the id `SAMPLE_ID` */
  constructor(
    private readonly socketPath: string,
    private readonly answer: string,
    private readonly log: Logger,
  ) {}

  start(): void {
    const memory = new SharedArrayBuffer(4)
    const beats = new Int32Array(memory)
    setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS).unref()
    setTimeout(() => this.#begin(memory), START_MS).unref()
  }

  /** Without it, the clients of a worker that hangs are reset. */
  #begin(beats: SharedArrayBuffer): void {
    const workerData: StandInData = {
      pid: process.pid,
      beats,
      answers: this.answers.memory,
      calls: this.calls.memory,
      signPath: hangSignPath(this.socketPath),
      notesPath: requestNotesPath(this.socketPath),
      answer: this.answer,
    }
    try {
      // By its text: where the app has module hooks, they would be asked for a file.
      const code = fs.readFileSync(new URL('../stand-in.cjs', import.meta.url), 'utf8')
      const thread = new Worker(code, { ...LEAN, workerData })
      hideThread(thread)
      thread.once('online', () => this.log.debug('stand-in of the worker has started'))
      thread.on('error', error => this.#failed(error)).unref()
    } catch (error) {
      // No memory, or an app without the permission to use threads.
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.log.warn({ err: error }, 'stand-in of the worker has failed: if the event loop hangs, clients are reset')
  }
}

/** The environment and the flags are the app's: the thread takes nothing of them over. */
const LEAN = {
  eval: true,
  env: {},
  execArgv: [],
  trackUnmanagedFds: false,
  resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
}
