import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ControlClient } from '../control/client.js'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import type { Output } from './output.js'
import { screenOf, sizeOf } from './screen.js'

const EACH_MS = 1_000
const KEPT_LINES = 200

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const TO_END_OF_LINE = '\x1b[K'

export function addMonit(program: Command, context: Context): void {
  instanceCommand(program, 'monit', 'shows status and log on a live screen, until q or Ctrl-C').action(
    async (options: InstanceOptions) => {
      const { output } = context
      if (options.json === true) return printEachSecond(options, context)
      if (!output.stdout.isTTY || !process.stdin.isTTY) {
        throw new Failure(exitCodes.usage, 'monit needs a terminal; outpost monit --json is for programs')
      }
      const { client } = await instanceOf(options, context)
      const screen = new LiveScreen(client, output)
      try {
        await screen.show()
      } finally {
        screen.leave()
      }
    },
  )
}

/** Prints a status a line, until a signal or the end of the instance. */
async function printEachSecond(options: InstanceOptions, context: Context): Promise<void> {
  const { client } = await instanceOf(options, context)
  for (;;) {
    context.output.json(await client.status())
    await sleep(EACH_MS)
  }
}

/** Owns the terminal from `show` to `leave`. */
class LiveScreen {
  readonly #log: string[] = []
  readonly #over = new AbortController()
  readonly #onResize = (): void => void this.#draw()
  readonly #onKey = (key: Buffer): void => {
    if (key.toString() === 'q' || key[0] === CTRL_C) this.#quit()
  }
  #timer: NodeJS.Timeout | undefined
  #quit: () => void = () => undefined
  #fail: (error: unknown) => void = () => undefined

  constructor(
    private readonly client: ControlClient,
    private readonly output: Output,
  ) {}

  /** Ends with a key of the person, or with the instance. */
  async show(): Promise<void> {
    const over = new Promise<void>((resolve, reject) => {
      this.#quit = resolve
      this.#fail = reject
    })
    this.output.stdout.write(ENTER)
    process.stdin.setRawMode(true).resume().on('data', this.#onKey)
    this.output.stdout.on('resize', this.#onResize)
    this.#timer = setInterval(this.#onResize, EACH_MS)
    void this.#readLog()
    void this.#draw()
    await over
  }

  leave(): void {
    this.#over.abort()
    clearInterval(this.#timer)
    this.output.stdout.off('resize', this.#onResize)
    process.stdin.off('data', this.#onKey).setRawMode(false).pause()
    this.output.stdout.write(LEAVE)
  }

  async #draw(): Promise<void> {
    try {
      const status = await this.client.status()
      const lines = screenOf(status, this.#log, sizeOf(this.output.stdout), this.output.paint)
      this.output.stdout.write(HOME + lines.map(line => line + TO_END_OF_LINE).join('\r\n'))
    } catch (error) {
      this.#fail(error)
    }
  }

  async #readLog(): Promise<void> {
    try {
      for await (const event of this.client.logs(KEPT_LINES, true, this.#over.signal)) {
        if (event.event !== 'line') continue
        this.#log.push(event.line)
        if (this.#log.length > KEPT_LINES) this.#log.shift()
      }
    } catch (error) {
      this.#fail(error)
    }
  }
}

const CTRL_C = 3
