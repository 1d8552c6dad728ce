import type { Request, Response } from 'express'
import { countedAddress } from '../../services/rate-limit.js'
import { HttpError, type AppErrorCode } from '../errors.js'
import type { Accounts, VerifiedAccount } from './accounts.js'
import type { GuessLimit } from './guess-limit.js'
import type { LoginBackoff } from './login-backoff.js'

export interface PasswordLimits {
  /** Counts by account and client together. */
  backoff: LoginBackoff
  /** Counts by account. */
  guesses: GuessLimit
}

/** Verifies the password of an account, at a sign-in and wherever else it is demanded, and slows down guessing. */
export class PasswordCheck {
  constructor(
    private readonly accounts: Pick<Accounts, 'verify' | 'find'>,
    /** Undefined when rate limits are off. */
    private readonly limits: PasswordLimits | undefined,
  ) {}

  /** @throws {HttpError} INVALID_CREDENTIALS, LOGIN_BACKOFF, LOGIN_TURN */
  async verify(request: Request, response: Response, username: string, password: string): Promise<VerifiedAccount> {
    const client = countedAddress(request)
    const { backoff, guesses } = this.limits ?? {}
    const refuseFor = async (code: AppErrorCode, seconds = 0): Promise<void> => {
      if (seconds > 0) throw await this.#refusal(code, username, seconds)
    }
    await refuseFor('LOGIN_BACKOFF', await backoff?.wait(username, client))
    const admission = (await guesses?.admit(username, client)) ?? 'known'
    if (typeof admission === 'object') await refuseFor('LOGIN_TURN', inSeconds(admission.waitMs))
    const verified = await this.accounts.verify(username, password, leaving(response))
    if (verified === undefined) {
      await refuseFor('LOGIN_BACKOFF', await backoff?.failed(username, client))
      await refuseFor('LOGIN_TURN', inSeconds(await guesses?.failed(username, admission)))
      throw await this.#refusal('INVALID_CREDENTIALS', username)
    }
    await refuseFor('LOGIN_BACKOFF', await backoff?.succeeded(username, client))
    await refuseFor('LOGIN_TURN', inSeconds(await guesses?.succeeded(username, client, admission)))
    return verified
  }

  /** Records the client that has made the account as known to it. */
  async know(request: Request, username: string): Promise<void> {
    await this.limits?.guesses.know(username, countedAddress(request))
  }

  /** The log gets the name only of an account that exists: another name may be a password in the wrong field. */
  async #refusal(code: AppErrorCode, username: string, retryAfterSeconds?: number): Promise<HttpError> {
    const account = (await this.accounts.find(username))?.username
    return new HttpError(code, { account, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) })
  }
}

/** Aborts when the client leaves, so that it keeps no place in the queue for hashing. */
export function leaving(response: Response): AbortSignal {
  const controller = new AbortController()
  const left = (): void => controller.abort(new HttpError('HASHING_BUSY'))
  if (response.closed) left()
  else response.once('close', left)
  return controller.signal
}

function inSeconds(ms = 0): number {
  return Math.ceil(ms / 1_000)
}
