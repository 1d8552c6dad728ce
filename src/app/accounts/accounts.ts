import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { v4 as uuid } from 'uuid'
import { z } from 'zod'
import { accountKeys } from './account-keys.js'
import type { PasswordHasher } from './password-hasher.js'
import { SESSION_TTL_SECONDS } from '../../services/sessions.js'

/** The public part of an account. */
export interface Account {
  username: string
  /** ISO 8601. */
  createdAt: string
}

/** The record behind a bearer token. */
export interface TokenRecord {
  username: string
  /** The session that was made by the same sign-in, so that both end together. */
  sessionId: string
}

const recordSchema = z.object({ username: z.string(), passwordHash: z.string(), createdAt: z.string() })
const tokenSchema = z.object({ username: z.string(), sessionId: z.string() })

/** Accounts and bearer tokens in Redis. Usernames come in their normal form: see `credentialsSchema`. */
export class Accounts {
  constructor(
    private readonly redis: Redis,
    private readonly hasher: PasswordHasher,
  ) {}

  /**
   * Returns undefined when the name is taken. Exactly one of several simultaneous registrations succeeds.
   * @param gone aborts when the client has left
   */
  async register(username: string, password: string, gone?: AbortSignal): Promise<Account | undefined> {
    const key = accountKeys.user(username)
    // Avoids the hash in the usual case of a taken name. SET NX makes the decision.
    if ((await this.redis.exists(key)) === 1) return undefined
    const passwordHash = await this.hasher.hash(password, gone)
    const createdAt = new Date().toISOString()
    const stored = await this.redis.set(key, JSON.stringify({ username, passwordHash, createdAt }), 'NX')
    return stored === null ? undefined : { username, createdAt }
  }

  /**
   * The account if the password is right; undefined, after the same time, if the name or the password is wrong.
   * @param gone aborts when the client has left
   */
  async verify(username: string, password: string, gone?: AbortSignal): Promise<Account | undefined> {
    const record = await this.#record(username)
    const matches = await this.hasher.matches(password, record?.passwordHash, gone)
    return matches && record !== undefined ? accountOf(record) : undefined
  }

  async find(username: string): Promise<Account | undefined> {
    const record = await this.#record(username)
    return record === undefined ? undefined : accountOf(record)
  }

  /** Makes a token that is good for 24 hours. */
  async issueToken(record: TokenRecord): Promise<string> {
    const token = uuid()
    await this.redis.set(accountKeys.token(hashOfToken(token)), JSON.stringify(record), 'EX', SESSION_TTL_SECONDS)
    return token
  }

  async tokenRecord(token: string): Promise<TokenRecord | undefined> {
    const text = await this.redis.get(accountKeys.token(hashOfToken(token)))
    return text === null ? undefined : tokenSchema.parse(JSON.parse(text))
  }

  async revokeToken(tokenHash: string): Promise<void> {
    await this.redis.del(accountKeys.token(tokenHash))
  }

  async #record(username: string): Promise<z.infer<typeof recordSchema> | undefined> {
    const text = await this.redis.get(accountKeys.user(username))
    return text === null ? undefined : recordSchema.parse(JSON.parse(text))
  }
}

/** Redis holds only the hash, so its data or a backup of it gives no access. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function accountOf({ username, createdAt }: z.infer<typeof recordSchema>): Account {
  return { username, createdAt }
}
