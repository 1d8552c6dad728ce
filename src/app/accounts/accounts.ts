import { createHash } from 'node:crypto'
import type { Redis, Result } from 'ioredis'
import { v4 as uuid } from 'uuid'
import * as z from 'zod'
import { accountKeys } from './account-keys.js'
import type { PasswordHasher } from './password-hasher.js'
import { signInRecords, type SignInRecord } from './sign-ins.js'
import { SESSION_TTL_SECONDS } from '../../services/sessions.js'

/** The public part of an account. */
export interface Account {
  username: string
  /** ISO 8601. */
  createdAt: string
}

/** An account whose password was right. */
export interface VerifiedAccount {
  account: Account
  /** The record as Redis holds it, by which a later change is noticed. */
  stored: string
}

/** The record behind a bearer token. */
export interface TokenRecord {
  username: string
  /** The sign-in that it belongs to. */
  signInId: string
}

const recordSchema = z.object({ username: z.string(), passwordHash: z.string(), createdAt: z.string() })
const tokenSchema = z.object({ username: z.string(), signInId: z.string() })

declare module 'ioredis' {
  interface RedisCommander<Context> {
    changePassword(user: string, signIns: string, before: string, after: string): Result<string[] | null, Context>
  }
}

/** The new password and the end of all sign-ins are one step. */
const CHANGE_PASSWORD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[2])
local ended = redis.call('HVALS', KEYS[2])
redis.call('DEL', KEYS[2])
return ended
`

/** Accounts and bearer tokens in Redis. Usernames come in their normal form: see `credentialsSchema`. */
export class Accounts {
  constructor(
    private readonly redis: Redis,
    private readonly hasher: PasswordHasher,
  ) {
    redis.defineCommand('changePassword', { numberOfKeys: 2, lua: CHANGE_PASSWORD })
  }

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
  async verify(username: string, password: string, gone?: AbortSignal): Promise<VerifiedAccount | undefined> {
    const stored = await this.redis.get(accountKeys.user(username))
    const record = stored === null ? undefined : recordSchema.parse(JSON.parse(stored))
    const matches = await this.hasher.matches(password, record?.passwordHash, gone)
    return matches && record !== undefined && stored !== null ? { account: accountOf(record), stored } : undefined
  }

  /**
   * Sets a new password and ends all sign-ins of the account.
   * @returns the account as it is now and the sign-ins that have ended, whose sessions and tokens are still to be
   *   removed; undefined when the account has changed since it was verified
   */
  async changePassword(
    { stored }: VerifiedAccount,
    password: string,
    gone?: AbortSignal,
  ): Promise<{ changed: VerifiedAccount; ended: SignInRecord[] } | undefined> {
    const record = recordSchema.parse(JSON.parse(stored))
    const passwordHash = await this.hasher.hash(password, gone)
    const text = JSON.stringify({ ...record, passwordHash })
    const { username } = record
    const user = accountKeys.user(username)
    const ended = await this.redis.changePassword(user, accountKeys.signIns(username), stored, text)
    if (ended === null) return undefined
    return { changed: { account: accountOf(record), stored: text }, ended: signInRecords(ended) }
  }

  async find(username: string): Promise<Account | undefined> {
    const text = await this.redis.get(accountKeys.user(username))
    return text === null ? undefined : accountOf(recordSchema.parse(JSON.parse(text)))
  }

  /** Stores a token for 24 hours. */
  async storeToken(token: string, record: TokenRecord): Promise<void> {
    await this.redis.set(accountKeys.token(hashOfToken(token)), JSON.stringify(record), 'EX', SESSION_TTL_SECONDS)
  }

  async tokenRecord(token: string): Promise<TokenRecord | undefined> {
    const text = await this.redis.get(accountKeys.token(hashOfToken(token)))
    // Tokens of versions without a list of sign-ins have ended.
    return text === null ? undefined : tokenSchema.safeParse(JSON.parse(text)).data
  }
}

/** A token that nobody can guess. */
export function makeToken(): string {
  return uuid()
}

/** Redis holds only the hash, so its data or a backup of it gives no access. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function accountOf({ username, createdAt }: z.infer<typeof recordSchema>): Account {
  return { username, createdAt }
}
