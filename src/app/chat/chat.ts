import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'socket.io'
import type { SecurityEvents } from '../../process/security-events.js'
import { lineOf } from '../../services/sliced-broadcasts.js'
import { Speakers } from './speakers.js'
import { TokenBucket, type BucketOptions } from './token-bucket.js'

/** A message with its envelope. */
export const MAX_MESSAGE_BYTES = 64 * 1024
/** Encoders are recursive: a deeper message could overflow the stack, here or in another worker. */
const MAX_DEPTH = 32
type Session = Socket['conn']

const RATE: BucketOptions = { burst: 200, perSecond: 50 }

export interface ChatOptions {
  /** Off together with the other rate limits. */
  limited: boolean
  events?: Pick<SecurityEvents, 'note'>
  /** Only users who are signed in may connect. */
  signInRequired?: boolean
  /** The user of the request by which a client has connected; undefined when it is signed in as nobody. */
  userOf?: (request: IncomingMessage) => Promise<string | undefined>
  /** The client at an address: speakers who are not signed in share what their client may send. */
  clientAt?: (address: string) => string
  now?: () => number
}

/**
 * Event `message` from one client reaches every client of every worker, the sender included, as it was sent. A requested
 * acknowledgement is `{ ok: true }`. A client that sends too fast, or sends a bad message, gets the event `refused` and is
 * disconnected. So does one whose address, or user, sends too much over all its connections.
 */
export function relayMessages(io: Server, options: ChatOptions): void {
  const {
    limited,
    events,
    signInRequired = false,
    clientAt = address => address,
    now = () => performance.now(),
  } = options
  /** The socket to refuse, by connection. A client may join any number of times on one connection, or never. */
  const joined = new WeakMap<Session, Socket>()
  const speakers = new Speakers()
  const addressOf = ({ remoteAddress }: Session): string => `address ${clientAt(remoteAddress)}`
  const users = new WeakMap<Socket, string>()
  const noteEjected = (reason: string, { remoteAddress }: Session): void => {
    events?.note('client-ejected', `chat client was disconnected: ${reason}`, { client: remoteAddress })
  }
  if (signInRequired || limited) {
    io.use((socket, next) => {
      const identify = async (): Promise<void> => {
        const user = await options.userOf?.(socket.request).catch(() => undefined)
        if (user !== undefined) users.set(socket, `user ${user}`)
        else if (signInRequired) throw new Error('UNAUTHENTICATED')
      }
      identify().then(() => next(), next)
    })
  }
  if (limited) {
    io.engine.on('connection', (session: Session) => {
      const bucket = new TokenBucket(RATE, now())
      session.on('packet', () => {
        if (bucket.take(now()) && speakers.mayPacket(addressOf(session), now())) return
        noteEjected('messages came too fast', session)
        const socket = joined.get(session)
        if (socket !== undefined) refuse(socket, 'RATE_LIMITED')
        session.close()
      })
    })
  }
  io.on('connection', (socket: Socket) => {
    joined.set(socket.conn, socket)
    socket.on('message', (...received: unknown[]) => {
      const acknowledge = received.at(-1)
      const [message] = received
      const isBad = typeof message === 'function' || isDeeperThan(message, MAX_DEPTH)
      if (isBad || binaryBytes(message) > MAX_MESSAGE_BYTES) {
        noteEjected('the message was malformed or too large', socket.conn)
        return refuse(socket, 'BAD_MESSAGE')
      }
      const speaker = users.get(socket) ?? addressOf(socket.conn)
      if (limited && !speakers.maySay(speaker, io.engine.clientsCount, now())) {
        noteEjected('too many messages of one speaker', socket.conn)
        return refuse(socket, 'RATE_LIMITED')
      }
      io.except(lineOf(speaker)).emit('message', message)
      if (isAcknowledgement(acknowledge)) acknowledge({ ok: true })
    })
  })
}

function refuse(socket: Socket, code: 'RATE_LIMITED' | 'BAD_MESSAGE'): void {
  if (!socket.connected) return
  socket.emit('refused', { code })
  socket.disconnect(true)
}

/** Not recursive itself. */
export function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true
    level = level.flatMap(item => (isContainer(item) ? (Object.values(item) as unknown[]) : []))
  }
  return false
}

/** The bytes of all attachments, each of which came in a frame of its own. */
function binaryBytes(value: unknown): number {
  if (ArrayBuffer.isView(value)) return value.byteLength
  if (!isContainer(value)) return 0
  return Object.values(value).reduce<number>((sum, item) => sum + binaryBytes(item), 0)
}

/** The decoder makes no functions, so the only one is the acknowledgement. */
function isAcknowledgement(value: unknown): value is (answer: object) => void {
  return typeof value === 'function'
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
}
