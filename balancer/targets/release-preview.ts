import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { PREVIEW, previewTokenOf } from '../contract/preview-token.js'

const COOKIE = new RegExp(`(?:^|;\\s*)${PREVIEW}=([\\w.-]{1,120})(?=;|$)`)

/** A release for clients that ask for it, by its host name or by a sealed cookie. */
export class ReleasePreview {
  readonly #token: string
  readonly #hosts: string

  /** @param key shared by all balancers */
  constructor(
    readonly release: string,
    key: string,
  ) {
    this.#token = previewTokenOf(release, key)
    this.#hosts = `${release}.preview.`
  }

  isFor({ headers: { host, cookie } }: IncomingMessage): boolean {
    if (host?.toLowerCase().startsWith(this.#hosts) === true) return true
    return cookie !== undefined && this.isToken(COOKIE.exec(cookie)?.[1])
  }

  /** Whether this is what the holder of a link has. */
  isToken(given: string | undefined): boolean {
    return given?.length === this.#token.length && timingSafeEqual(Buffer.from(given), Buffer.from(this.#token))
  }
}
