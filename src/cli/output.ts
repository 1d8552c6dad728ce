import { paintFor, type Paint } from './paint.js'

/** Where a command prints: what was asked for on standard output, all else on standard error. */
export class Output {
  readonly paint: Paint
  readonly paintNotes: Paint

  constructor(
    readonly stdout: NodeJS.WriteStream = process.stdout,
    readonly stderr: NodeJS.WriteStream = process.stderr,
  ) {
    this.paint = paintFor(stdout)
    this.paintNotes = paintFor(stderr)
  }

  /** Prints a part of the result. */
  print(...lines: readonly string[]): void {
    this.stdout.write(lines.map(line => `${line}\n`).join(''))
  }

  json(value: unknown): void {
    this.print(JSON.stringify(value))
  }

  /** A remark beside what was asked for. */
  note(text: string): void {
    this.stderr.write(`${this.paintNotes('yellow', 'outpost:')} ${text}\n`)
  }

  error(text: string): void {
    this.stderr.write(`${this.paintNotes('red', 'outpost:')} ${text}\n`)
  }
}
