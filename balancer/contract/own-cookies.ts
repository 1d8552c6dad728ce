import { PREVIEW } from './preview-token.js'

/** The name of the cookie by which a client stays with its release while one is being tried. */
export const RELEASE = 'outpost_release'

/** The cookies that an app does not get: it would log them, or send them on. */
const OWN = [`${PREVIEW}=`, `${RELEASE}=`] as const

/** @param cookies the header `Cookie` of a request */
export function hasOwnCookies(cookies: string | undefined): boolean {
  return cookies !== undefined && OWN.some(name => cookies.includes(name))
}

/** @returns undefined when no other cookie is left */
export function withoutOwnCookies(cookies: string): string | undefined {
  const others = cookies.split(';').filter(cookie => !OWN.some(name => cookie.trimStart().startsWith(name)))
  const left = others.join(';').trimStart()
  return left === '' ? undefined : left
}
