import { randomInt } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import { ask } from './client.js'
import { within } from './deadline.js'
import type { Harness } from './harness.js'

export type Transport = 'polling' | 'websocket'

interface Events {
  message: [text: unknown]
  connected: []
  disconnected: [reason: string]
}

/** Short pauses between attempts to reconnect: a test need not wait as a person would. */
const QUICK = { reconnectionDelay: 50, reconnectionDelayMax: 200, forceNew: true }

/** A client of the official library, and the record of its events. */
export class ChatClient extends EventEmitter<Events> {
  readonly messages: unknown[] = []
  readonly disconnects: string[] = []
  /** The failures of attempts to connect, e.g. "400 Session ID unknown". */
  readonly errors: string[] = []
  /** The codes of `refused` events. */
  readonly refusals: string[] = []

  private constructor(readonly socket: Socket) {
    super()
    this.setMaxListeners(0)
    socket.on('message', (text: unknown) => {
      this.messages.push(text)
      this.emit('message', text)
    })
    socket.on('refused', ({ code }: { code: string }) => this.refusals.push(code))
    socket.on('connect', () => this.emit('connected'))
    socket.on('disconnect', (reason, details) => {
      this.disconnects.push(reason)
      if (details !== undefined) this.#note(details)
      this.emit('disconnected', reason)
    })
    socket.on('connect_error', error => this.#note(error))
  }

  /** Begins to connect. */
  static open(
    t: Harness,
    url: string,
    transports: readonly Transport[],
    options: Partial<ManagerOptions & SocketOptions> = {},
  ): ChatClient {
    const client = new ChatClient(io(url, { ...QUICK, transports: [...transports], ...options }))
    t.teardown(() => client.socket.disconnect())
    return client
  }

  static async connect(t: Harness, url: string, ...transports: Transport[]): Promise<ChatClient> {
    const client = ChatClient.open(t, url, transports)
    await client.connected()
    return client
  }

  /** The worker that has its session. */
  get worker(): string {
    return this.socket.io.engine.id.split('.')[0] ?? ''
  }

  get transport(): string {
    return this.socket.io.engine.transport.name
  }

  async connected(): Promise<void> {
    while (!this.socket.connected) await within(once(this, 'connected'), 'a connection', 20_000)
  }

  async disconnected(): Promise<void> {
    while (this.disconnects.length === 0) await within(once(this, 'disconnected'), 'the end of a connection', 20_000)
  }

  async receives(message: unknown): Promise<void> {
    const text = JSON.stringify(message)
    while (!this.messages.some(received => JSON.stringify(received) === text)) {
      await within(once(this, 'message'), `the message ${text}`, 20_000)
    }
  }

  /** Sends a message, and waits until the server has acknowledged it. */
  async say(message: unknown): Promise<void> {
    await within(this.socket.emitWithAck('message', message), 'the acknowledgement of a message', 20_000)
  }

  /** Carries the status and text of an answer with an error status. */
  #note(error: unknown): void {
    const { context, description } = error as {
      context?: { status?: number; responseText?: string }
      description?: unknown
    }
    if (context?.status !== undefined) this.errors.push(`${context.status} ${context.responseText ?? ''}`)
    else this.errors.push(error instanceof Error ? error.message : String(description))
  }
}

/** Clients over `transports` in turn, until each of `count` workers has one of each kind. */
export async function clientsOnAllWorkers(
  t: Harness,
  url: string,
  count: number,
  transports: readonly Transport[] = ['polling', 'websocket'],
): Promise<ChatClient[]> {
  const clients: ChatClient[] = []
  for (const transport of transports) {
    const workers = new Set<string>()
    while (workers.size < count) {
      const client = await ChatClient.connect(t, url, transport)
      clients.push(client)
      await takeTurns(url)
      workers.add(client.worker)
    }
  }
  return clients
}

/**
 * Advances the round robin by a few turns. Clients that are alike take the same number of turns each, which could lead
 * them to the same worker every time.
 */
export async function takeTurns(url: string): Promise<void> {
  for (let i = randomInt(5); i > 0; i -= 1) await ask(url, '/health')
}
