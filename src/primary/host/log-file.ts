import fs from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../control/log-answer.js'

/** No more than this is read to find the last lines. */
const MAX_TAIL_BYTES = 4 * 1024 * 1024

/**
 * The output of the instance in DATA_DIR/logs: `outpost.log`, and `outpost.log.1` with what came before. The two
 * together stay under a bound. The lines of one turn of the event loop are written together.
 */
export class LogFile implements Log {
  readonly path: string
  readonly #previous: string
  readonly #followers = new Set<(line: string) => void>()
  readonly #flushNow = (): void => this.#flush()
  #file: number | undefined
  #bytes = 0
  #pending: string[] = []
  #lost = 0

  /**
   * @param folder exists already
   * @param maxBytes of both files; 0 keeps nothing
   */
  constructor(
    folder: string,
    private readonly maxBytes: number,
  ) {
    this.path = join(folder, 'outpost.log')
    this.#previous = `${this.path}.1`
    // The output is kept, however this process ends.
    process.on('exit', this.#flushNow)
  }

  /** @param text lines, the last one with or without its end */
  write(text: string): void {
    const lines = (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n')
    for (const follow of this.#followers) for (const line of lines) follow(line)
    if (this.maxBytes === 0) return
    if (this.#pending.length === 0) setImmediate(this.#flushNow)
    this.#pending.push(...lines)
  }

  read(count: number, onLine?: (line: string) => void): { lines: string[]; stop: () => void } {
    this.#flush()
    if (onLine !== undefined) this.#followers.add(onLine)
    const lines = lastLines(this.path, count)
    if (lines.length < count) lines.unshift(...lastLines(this.#previous, count - lines.length))
    return { lines, stop: () => onLine && this.#followers.delete(onLine) }
  }

  close(): void {
    this.#flush()
    process.off('exit', this.#flushNow)
    if (this.#file !== undefined) fs.closeSync(this.#file)
    this.#file = undefined
  }

  #flush(): void {
    const lines = this.#pending.splice(0)
    if (lines.length === 0) return
    const gap = this.#lost === 0 ? [] : [`outpost: the log lacks ${this.#lost} lines, which could not be written`]
    try {
      this.#append(Buffer.from(`${[...gap, ...lines].join('\n')}\n`))
      this.#lost = 0
    } catch {
      // The disk may be full. The instance goes on, and the log says later that lines are missing.
      this.#lost += lines.length
    }
  }

  #append(bytes: Buffer): void {
    const half = Math.floor(this.maxBytes / 2)
    this.#file ??= this.#open()
    if (this.#bytes > 0 && this.#bytes + bytes.length > half) {
      fs.closeSync(this.#file)
      this.#file = undefined
      fs.renameSync(this.path, this.#previous)
      this.#file = this.#open()
    }
    // If there is more than a file can hold, the end is kept.
    const kept = bytes.subarray(Math.max(0, bytes.length - half))
    for (let at = 0; at < kept.length;) at += fs.writeSync(this.#file, kept, at)
    this.#bytes += kept.length
  }

  #open(): number {
    const file = fs.openSync(this.path, 'a', 0o600)
    this.#bytes = fs.fstatSync(file).size
    return file
  }
}

function lastLines(path: string, count: number): string[] {
  if (count === 0) return []
  let file: number | undefined
  try {
    file = fs.openSync(path, 'r')
    const { size } = fs.fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, MAX_TAIL_BYTES))
    fs.readSync(file, bytes, 0, bytes.length, size - bytes.length)
    const lines = bytes.toString('utf8').split('\n')
    // The first line may have lost its beginning; nothing comes after the last one.
    if (bytes.length < size) lines.shift()
    return lines.slice(0, -1).slice(-count)
  } catch {
    return []
  } finally {
    if (file !== undefined) fs.closeSync(file)
  }
}
