import type { RedisStore } from 'connect-redis'
import type { Redis, Result } from 'ioredis'
import * as z from 'zod'
import { isRedisUnavailable } from '../../services/redis.js'
import { SESSION_TTL_SECONDS } from '../../services/sessions.js'
import { accountKeys } from './account-keys.js'

/** How long a sign-in lasts, in milliseconds; docs/security.md gives the reasons. */
export const signInLimits = {
  /** From the sign-in, whatever is done with it. */
  lifeMs: SESSION_TTL_SECONDS * 1_000,
  /** The longest time without a request. */
  idleMs: 60 * 60_000,
  /** The most sign-ins of one account at once; one more ends the oldest. */
  atOnce: 100,
} as const

/** How exactly the last request is known. A note of each one would be a write each. */
const NOTED_EVERY_MS = 60_000
const MAX_AGENT = 200

const recordSchema = z.object({
  /** The session and the token that were made by the sign-in. */
  sessionId: z.string(),
  tokenHash: z.string(),
  /** Milliseconds since 1970. */
  startedAt: z.number(),
  seenAt: z.number(),
  /** The address it came from, and what the browser calls itself. */
  client: z.string(),
  agent: z.string(),
})

export type SignInRecord = z.infer<typeof recordSchema>

/** The facts about a sign-in before it is added. */
export type NewSignIn = Omit<SignInRecord, 'startedAt' | 'seenAt'>

declare module 'ioredis' {
  interface RedisCommander<Context> {
    addSignIn(
      user: string,
      signIns: string,
      account: string,
      id: string,
      record: string,
      ms: number,
    ): Result<0 | 1, Context>
    noteSignIn(signIns: string, id: string, record: string): Result<0 | 1, Context>
  }
}

/** The account must be as it was when the password was verified: a changed password ends sign-ins under way as well. */
const ADD = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
`

/** Never brings back a sign-in that has ended. */
const NOTE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`

/**
 * The sign-ins of every account, in Redis. A session or token is good as long as its sign-in is listed here, so one
 * command ends it for all workers.
 */
export class SignIns {
  constructor(
    private readonly redis: Redis,
    private readonly sessionStore: Pick<RedisStore, 'destroy'>,
    private readonly now: () => number = Date.now,
  ) {
    redis.defineCommand('addSignIn', { numberOfKeys: 2, lua: ADD })
    redis.defineCommand('noteSignIn', { numberOfKeys: 1, lua: NOTE })
  }

  /**
   * Adds a sign-in, and ends those that are over or too many.
   * @param account the stored text of the account whose password was verified
   * @returns false when the account has changed since then
   */
  async add(username: string, account: string, id: string, signIn: NewSignIn): Promise<boolean> {
    const now = this.now()
    const record = { ...signIn, agent: signIn.agent.slice(0, MAX_AGENT), startedAt: now, seenAt: now }
    const key = accountKeys.signIns(username)
    const text = JSON.stringify(record)
    const user = accountKeys.user(username)
    if ((await this.redis.addSignIn(user, key, account, id, text, signInLimits.lifeMs)) === 0) return false
    const oldest = [...(await this.list(username))].sort(([, a], [, b]) => a.startedAt - b.startedAt)
    await this.#end(username, oldest.slice(0, -signInLimits.atOnce))
    return true
  }

  /** Whether it has not ended. Notes that it was used. */
  async isAlive(username: string, id: string): Promise<boolean> {
    const text = await this.redis.hget(accountKeys.signIns(username), id)
    if (text === null) return false
    const record = parsed(text)
    if (this.#isOver(record)) {
      // Over in any case, even while Redis takes no writes.
      await this.#end(username, [[id, record]]).catch(ignoreUnavailable)
      return false
    }
    if (this.now() - record.seenAt >= NOTED_EVERY_MS) await this.#note(username, id, record)
    return true
  }

  /** Those that have not ended, by id. */
  async list(username: string): Promise<Map<string, SignInRecord>> {
    const all = await this.redis.hgetall(accountKeys.signIns(username))
    const records = Object.entries(all).map(([id, text]): [string, SignInRecord] => [id, parsed(text)])
    await this.#end(
      username,
      records.filter(([, record]) => this.#isOver(record)),
    )
    return new Map(records.filter(([, record]) => !this.#isOver(record)))
  }

  /** Ends one. @returns false if no sign-in has that id */
  async end(username: string, id: string): Promise<boolean> {
    const text = await this.redis.hget(accountKeys.signIns(username), id)
    if (text === null) return false
    await this.#end(username, [[id, parsed(text)]])
    return true
  }

  /** Ends all of an account, but for one. */
  async endOthers(username: string, kept?: string): Promise<void> {
    const others = [...(await this.list(username))].filter(([id]) => id !== kept)
    await this.#end(username, others)
  }

  /** Removes the sessions and tokens of sign-ins that are no longer listed. */
  async forget(records: readonly SignInRecord[]): Promise<void> {
    await Promise.all(
      records.map(async ({ sessionId, tokenHash }) => {
        await this.sessionStore.destroy(sessionId)
        await this.redis.del(accountKeys.token(tokenHash))
      }),
    )
  }

  /** The list decides, so it is changed first. */
  async #end(username: string, ended: readonly [id: string, record: SignInRecord][]): Promise<void> {
    if (ended.length === 0) return
    await this.redis.hdel(accountKeys.signIns(username), ...ended.map(([id]) => id))
    await this.forget(ended.map(([, record]) => record))
  }

  async #note(username: string, id: string, record: SignInRecord): Promise<void> {
    const text = JSON.stringify({ ...record, seenAt: this.now() })
    // A Redis that takes no writes can still say who is signed in.
    await this.redis.noteSignIn(accountKeys.signIns(username), id, text).catch(ignoreUnavailable)
  }

  #isOver({ startedAt, seenAt }: SignInRecord): boolean {
    const { lifeMs, idleMs } = signInLimits
    // One request in each interval is noted, so the last one may be that much later than the note.
    return this.now() - startedAt >= lifeMs || this.now() - seenAt >= idleMs + NOTED_EVERY_MS
  }
}

/** Reads the records of sign-ins as Redis holds them. */
export function signInRecords(texts: readonly string[]): SignInRecord[] {
  return texts.map(parsed)
}

function parsed(text: string): SignInRecord {
  return recordSchema.parse(JSON.parse(text))
}

function ignoreUnavailable(error: unknown): void {
  if (!isRedisUnavailable(error)) throw error
}
