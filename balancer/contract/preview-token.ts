import { createHmac } from 'node:crypto'

/** The name of the cookie, and of the parameter of a link, that lead to a release in preview. */
export const PREVIEW = 'outpost_preview'

/**
 * Leads to a release in preview. It cannot be guessed, so only people who were given it know it.
 * @param key of the instance; balancers do not have it
 */
export function previewTokenOf(release: string, key: string): string {
  return `${release}.${createHmac('sha256', key).update(`preview ${release}`).digest('base64url').slice(0, 32)}`
}
