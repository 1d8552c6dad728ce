import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { PreviewOrder } from '../contract/edge-order.js'
import { PREVIEW } from '../contract/preview-token.js'

const COOKIE = new RegExp(`(?:^|;\\s*)${PREVIEW}=([\\w.-]{1,120})(?=;|$)`)

/** A release for clients that ask for it, by its host name or by a signed cookie. */
export class ReleasePreview {
  readonly release: string
  readonly #token: string
  readonly #hosts: string

  constructor({ release, token }: PreviewOrder) {
    this.release = release
    this.#token = token
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
