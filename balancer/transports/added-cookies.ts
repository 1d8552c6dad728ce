import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Has the answer of a local app set more cookies, however the app writes its head. */
export function addCookiesTo(response: ServerResponse, cookies: readonly string[]): void {
  const writeHead = (...args: unknown[]): ServerResponse => {
    Reflect.deleteProperty(response, 'writeHead')
    const given = args.find(arg => typeof arg === 'object' && arg !== null)
    const name = Array.isArray(given) || given === undefined ? undefined : cookieNameIn(given)
    if (Array.isArray(given)) {
      for (const cookie of cookies) {
        given.push(...(Array.isArray(given[0]) ? [[SET_COOKIE, cookie]] : [SET_COOKIE, cookie]))
      }
    } else if (name === undefined) response.appendHeader(SET_COOKIE, cookies)
    else Object.assign(given as object, { [name]: [(given as OutgoingHttpHeaders)[name], cookies].flat() })
    return (response.writeHead as (...args: unknown[]) => ServerResponse)(...args)
  }
  // Node calls it, too, when the app does not.
  Object.assign(response, { writeHead })
}

const SET_COOKIE = 'Set-Cookie'

function cookieNameIn(headers: object): string | undefined {
  return Object.keys(headers).find(name => name.toLowerCase() === 'set-cookie')
}
