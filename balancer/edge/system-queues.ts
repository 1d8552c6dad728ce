import fs from 'node:fs'
import { promisify } from 'node:util'

const PAGE_BYTES = 4_096
const READ_BYTES = 64 * 1024
const read = promisify(fs.read)
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']
const MEMORY = '/proc/net/sockstat'

/** The bytes that were sent over TCP and have not arrived. */
export interface Queues {
  /** By `peerKey`. */
  ofConnections: Map<string, number>
  /** The bytes of connections that were closed here, by the address of the other end. */
  ofClosed: Map<string, number>
}

/** The other end of a connection, as a key. */
export function peerKey(address: string, port: number): string {
  return `${address.split('%', 1)[0] ?? ''} ${port}`
}

/**
 * Reads from Linux how many bytes were sent over TCP and have not arrived. The files in /proc stay open, so that they can
 * be read when no more files can be opened.
 */
export class SystemQueues {
  readonly #files = new Map<string, number>()

  constructor() {
    for (const path of [MEMORY, ...TABLES]) {
      try {
        this.#files.set(path, fs.openSync(path, 'r'))
      } catch {
        // Another system, or one without IPv6.
      }
    }
  }

  /** The memory that the kernel uses for TCP, for all programs, in bytes; undefined where it is not known. */
  memory(): number | undefined {
    const file = this.#files.get(MEMORY)
    if (file === undefined) return undefined
    const buffer = Buffer.allocUnsafe(PAGE_BYTES)
    const text = buffer.toString('latin1', 0, fs.readSync(file, buffer, 0, PAGE_BYTES, 0))
    const pages = TCP_MEMORY.exec(text)?.[1]
    return pages === undefined ? undefined : Number(pages) * PAGE_BYTES
  }

  /**
   * Undefined where it is not known. Read off the event loop, since it takes milliseconds where there are thousands
   * of connections.
   */
  async queues(): Promise<Queues | undefined> {
    const tables = TABLES.map(path => this.#files.get(path)).filter(file => file !== undefined)
    if (tables.length === 0) return undefined
    const texts: string[] = []
    for (const file of tables) texts.push(await wholeOf(file))
    return queuesIn(texts.join('\n'))
  }

  close(): void {
    for (const file of this.#files.values()) fs.closeSync(file)
    this.#files.clear()
  }
}

async function wholeOf(file: number): Promise<string> {
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  let text = ''
  for (;;) {
    const { bytesRead } = await read(file, buffer, 0, READ_BYTES, text.length)
    if (bytesRead === 0) return text
    text += buffer.toString('latin1', 0, bytesRead)
  }
}

const TCP_MEMORY = /^TCP: .* mem (\d+)/m

/** @param tables rows of /proc/net/tcp and /proc/net/tcp6 */
export function queuesIn(tables: string): Queues {
  const queues: Queues = { ofConnections: new Map(), ofClosed: new Map() }
  for (const [, hex = '', port = '', queue = '', inode = ''] of tables.matchAll(ROW)) {
    const address = addressOf(hex)
    const bytes = parseInt(queue, 16)
    if (inode === CLOSED) queues.ofClosed.set(address, (queues.ofClosed.get(address) ?? 0) + bytes)
    else queues.ofConnections.set(peerKey(address, parseInt(port, 16)), bytes)
  }
  return queues
}

/** Rows with something in the send queue: number, local end, other end, state, queues, timer, retries, user, probes, inode. */
const ROW =
  /^ *\d+: [\dA-F]+:[\dA-F]{4} ([\dA-F]+):([\dA-F]{4}) [\dA-F]{2} (?!0{8})([\dA-F]{8}):\S+ +\S+ +\S+ +\d+ +\d+ +(\d+)/gm

/** No process has it open. */
const CLOSED = '0'

const MAPPED = '0000000000000000FFFF0000'
const V4_DIGITS = 8

/** Words of 32 bits in the order of the machine's bytes, which are reversed here. */
function addressOf(hex: string): string {
  if (hex.startsWith(MAPPED)) return addressOf(hex.slice(MAPPED.length))
  const bytes = Buffer.from(hex, 'hex').swap32()
  if (hex.length === V4_DIGITS) return bytes.join('.')
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
