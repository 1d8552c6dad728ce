import fs from 'node:fs'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { Service } from '../process/service.js'

/** One line of JSON from whoever commands the primary. */
const commandSchema = z.discriminatedUnion('command', [
  z.object({ command: z.literal('status') }),
  z.object({ command: z.literal('reload') }),
])

export type Command = z.infer<typeof commandSchema>

/** One line of JSON back. */
export type CommandResult = { ok: true; result: unknown } | { ok: false; error: string; lastLines?: readonly string[] }

const MAX_LINE_BYTES = 64 * 1024
const MAX_CONNECTIONS = 32
const LINE_FEED = 0x0a

/**
 * The control socket: a unix socket in the instance's folder, which only this user may enter. A command is a line of
 * JSON, its result another; commands of one connection are carried out one after the other.
 */
export class ControlServer implements Service {
  readonly #server = net.createServer(socket => this.#serve(socket))
  readonly #sockets = new Set<net.Socket>()

  constructor(
    private readonly path: string,
    private readonly carryOut: (command: Command) => Promise<unknown>,
  ) {
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.path, () => {
        fs.chmodSync(this.path, 0o600)
        // From now on it is a connection that could not be accepted: whoever asks may ask again.
        this.#server.on('error', () => undefined)
        resolve()
      })
    })
  }

  stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise(resolve => this.#server.close(() => resolve()))
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let last = Promise.resolve()
    const lines = createInterface({ input: socket })
    lines.on('line', line => {
      last = last.then(async () => {
        const result = await this.#answer(line)
        if (socket.writable) socket.write(`${JSON.stringify(result)}\n`)
      })
    })
    let unfinished = 0
    socket.on('data', (chunk: Buffer) => {
      const lineEnd = chunk.lastIndexOf(LINE_FEED)
      unfinished = lineEnd < 0 ? unfinished + chunk.length : chunk.length - lineEnd - 1
      if (unfinished > MAX_LINE_BYTES) socket.destroy()
    })
  }

  async #answer(line: string): Promise<CommandResult> {
    try {
      return { ok: true, result: await this.carryOut(commandSchema.parse(JSON.parse(line))) }
    } catch (error) {
      if (error instanceof z.ZodError || error instanceof SyntaxError) return { ok: false, error: 'no such command' }
      const { message, lastLines } = error as Error & { lastLines?: readonly string[] }
      return { ok: false, error: message, ...(lastLines === undefined ? {} : { lastLines }) }
    }
  }
}
