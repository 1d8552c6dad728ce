import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Adds cookies to the answer of a local app, however the app writes its head. */
export function addCookiesTo(response: ServerResponse, cookies: readonly string[]): void {
  const writeHead = (...args: unknown[]): ServerResponse => {
    Reflect.deleteProperty(response, 'writeHead')
    const at = args.findIndex(arg => typeof arg === 'object' && arg !== null)
    const given = args[at]
    // A copy: what is given may be a constant of the app, for all its answers.
    if (Array.isArray(given)) args[at] = withCookies(given, cookies)
    else {
      const name = given === undefined ? undefined : cookieNameIn(given as object)
      if (name === undefined) response.appendHeader(SET_COOKIE, cookies)
      else {
        const headers = given as OutgoingHttpHeaders
        args[at] = { ...headers, [name]: [headers[name], cookies].flat() }
      }
    }
    return (response.writeHead as (...args: unknown[]) => ServerResponse)(...args)
  }
  // Node calls it, too, when the app does not.
  Object.assign(response, { writeHead })
}

const SET_COOKIE = 'Set-Cookie'

/** @param list pairs, or names and values in turn */
function withCookies(list: readonly unknown[], cookies: readonly string[]): unknown[] {
  const added = cookies.map(cookie => [SET_COOKIE, cookie])
  return [...list, ...(Array.isArray(list[0]) ? added : added.flat())]
}

function cookieNameIn(headers: object): string | undefined {
  return Object.keys(headers).find(name => name.toLowerCase() === 'set-cookie')
}
