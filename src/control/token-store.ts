import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import fs from 'node:fs'
import * as z from 'zod'
import { writeSynced } from '../process/synced-file.js'
import { ControlError, type TokenInfo } from './protocol.js'

const recordSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** When it was made, in milliseconds since 1970. */
  at: z.number(),
  /** SHA-256 of the token. It is random, so nothing slower is needed. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
})
type StoredToken = z.infer<typeof recordSchema>

const MAX_TOKENS = 50
const SECRET_BYTES = 32

/** The tokens for the control API over TCP. Only hashes are kept, in a file that no other user may read. */
export class TokenStore {
  #records: StoredToken[]
  /** By their ids. */
  readonly #permissions = new Map<string, AbortController>()

  /** @throws {Error} names the file when it cannot be read */
  constructor(private readonly file: string) {
    this.#records = recordsIn(file)
  }

  /** The oldest first. */
  list(): TokenInfo[] {
    return this.#records.map(({ id, name, at }) => ({ id, name, at: new Date(at).toISOString() }))
  }

  /**
   * @param name for people
   * @returns the token, which is known to nobody else from now on
   * @throws {ControlError} `TOO_MANY_TOKENS`
   */
  create(name: string): { id: string; token: string } {
    if (this.#records.length >= MAX_TOKENS) throw new ControlError('TOO_MANY_TOKENS')
    const id = randomBytes(4).toString('hex')
    const token = `outpost_${randomBytes(SECRET_BYTES).toString('base64url')}`
    this.#write([...this.#records, { id, name, at: Date.now(), hash: hashOf(token).toString('hex') }])
    return { id, token }
  }

  /** Refuses the token from now on, and ends the answers that it still gets. @throws {ControlError} `UNKNOWN_TOKEN` */
  revoke(id: string): void {
    const left = this.#records.filter(record => record.id !== id)
    if (left.length === this.#records.length) throw new ControlError('UNKNOWN_TOKEN')
    this.#write(left)
    this.#permissions.get(id)?.abort()
    this.#permissions.delete(id)
  }

  /** Aborts when the token is revoked; undefined: there is no such token. Every wrong token takes the same time. */
  permissionOf(token: string): AbortSignal | undefined {
    const given = hashOf(token)
    let found: string | undefined
    for (const { id, hash } of this.#records) if (timingSafeEqual(Buffer.from(hash, 'hex'), given)) found = id
    if (found === undefined) return undefined
    const permission = this.#permissions.get(found) ?? new AbortController()
    this.#permissions.set(found, permission)
    return permission.signal
  }

  #write(records: StoredToken[]): void {
    writeSynced(this.file, JSON.stringify(records))
    this.#records = records
  }
}

function recordsIn(file: string): StoredToken[] {
  if (!fs.existsSync(file)) return []
  try {
    return z.array(recordSchema).parse(JSON.parse(fs.readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
