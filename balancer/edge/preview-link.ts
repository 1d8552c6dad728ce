import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientIdentity } from '../contract/client-envelope.js'
import { PREVIEW } from '../contract/preview-token.js'
import type { OwnHeaders } from '../errors.js'
import type { ReleasePreview } from '../targets/release-preview.js'

const MAX_AGE_S = 86_400

/**
 * Answers a link to a release in preview: the client gets the cookie, and asks again without the token, so that neither
 * the app nor a page that it leads to sees it.
 * @returns whether this was such a link
 */
export function answerPreviewLink(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  { protocol }: ClientIdentity,
  preview: ReleasePreview,
  own: OwnHeaders,
): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || !url.startsWith('/') || !url.includes(`${PREVIEW}=`)) return false
  const [path = '', query = ''] = url.split(/\?(.*)/s)
  const given = query.split('&')
  const isOurs = (part: string): boolean => part.startsWith(`${PREVIEW}=`)
  const token = given.find(isOurs)?.slice(PREVIEW.length + 1)
  if (token === undefined || !preview.isToken(token)) return false
  const others = given.filter(part => !isOurs(part)).join('&')
  const secure = protocol === 'https' ? '; Secure' : ''
  response.writeHead(303, {
    // Two slashes at its beginning would lead to another host.
    location: path.replace(/^\/[/\\]+/, '/') + (others === '' ? '' : `?${others}`),
    'set-cookie': `${PREVIEW}=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${MAX_AGE_S}${secure}`,
    'content-length': 0,
    ...own,
  })
  response.end()
  return true
}
