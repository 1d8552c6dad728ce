import type { io as Io, Socket } from 'socket.io-client'
import type { AccountPanel } from './account.js'
import { create, element } from './elements.js'
import { Notice } from './notice.js'

declare global {
  /** Set by the script that Socket.IO serves; missing when that could not be loaded. */
  var io: typeof Io | undefined
}

/** A message of this page. Other clients may send anything at all. */
interface ChatMessage {
  from: string
  text: string
  worker: string
}

const SHOWN = 200
const SIGN_IN_LOOK_MS = 3_000
/** The longest message, or name of a sender, that is shown. */
const SHOWN_TEXT = 4_000
const SHOWN_NAME = 64

/** Chat with all clients of all workers. */
export class Chat {
  readonly #guest = `guest ${Math.random().toString(36).slice(2, 6)}`
  readonly #list = element('messages', HTMLOListElement)
  readonly #live = element('live', HTMLElement)
  readonly #notice = new Notice('chat')
  readonly #text = element('text', HTMLInputElement)

  constructor(private readonly account: AccountPanel) {}

  start(): void {
    if (globalThis.io === undefined) {
      this.#showLive(false, 'no live connection')
      return
    }
    const socket = globalThis.io()
    socket.on('connect', () => this.#showLive(true, `live at worker ${workerOf(socket)}`))
    socket.on('disconnect', reason => {
      this.#showLive(false, 'reconnecting…')
      // After a disconnect by the server, the library does not reconnect by itself.
      if (reason === 'io server disconnect') socket.connect()
    })
    socket.on('connect_error', ({ message }) => {
      if (message !== 'UNAUTHENTICATED') this.#showLive(false, 'reconnecting…')
      else {
        this.#showLive(false, 'sign in to join the chat')
        // The library does not try again by itself. The user of a new connection is the one of its first request.
        setTimeout(() => socket.disconnect().connect(), SIGN_IN_LOOK_MS)
      }
    })
    socket.on('refused', () => this.#notice.show('bad', 'Slower, please: your last messages were not passed on.'))
    socket.on('message', (message: unknown) => this.#show(message))
    element('say', HTMLFormElement).addEventListener('submit', event => {
      event.preventDefault()
      void this.#say(socket)
    })
  }

  async #say(socket: Socket): Promise<void> {
    const text = this.#text.value.trim()
    if (text === '') return
    if (!socket.connected) {
      this.#notice.show('bad', 'Not connected at this moment.')
      return
    }
    const message: ChatMessage = { from: this.#name, text, worker: workerOf(socket) }
    this.#text.value = ''
    try {
      await socket.timeout(5_000).emitWithAck('message', message)
      this.#notice.show('plain', '')
    } catch {
      this.#text.value = text
      this.#notice.show('bad', 'The message may not have arrived.')
    }
  }

  get #name(): string {
    return this.account.username ?? this.#guest
  }

  #show(message: unknown): void {
    const { from, text, worker } = readMessage(message)
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40
    const item = create('li', '', from === this.#name ? 'own' : '')
    item.append(create('span', worker === '' ? from : `${from} · via worker ${worker}`, 'from'), create('span', text))
    this.#list.append(item)
    while (this.#list.children.length > SHOWN) this.#list.firstElementChild?.remove()
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight
  }

  #showLive(on: boolean, text: string): void {
    this.#live.dataset['state'] = on ? 'on' : 'off'
    this.#live.textContent = text
  }
}

/** Session ids begin with the name of the worker that has the session. */
function workerOf(socket: Socket): string {
  return socket.io.engine.id.split('.')[0] ?? ''
}

function readMessage(message: unknown): ChatMessage {
  if (typeof message === 'object' && message !== null && 'text' in message) {
    const { from = 'somebody', text, worker = '' } = message as Partial<Record<keyof ChatMessage, unknown>>
    return { from: shown(from, SHOWN_NAME), text: shown(text, SHOWN_TEXT), worker: shown(worker, SHOWN_NAME) }
  }
  return { from: 'somebody', text: shown(message, SHOWN_TEXT), worker: '' }
}

/** Without `String`, which would call methods of the value: a forged value may have none. */
function shown(value: unknown, length: number): string {
  const text = typeof value === 'string' ? value : ((JSON.stringify(value) as string | undefined) ?? '')
  return text.length > length ? `${text.slice(0, length)}…` : text
}
