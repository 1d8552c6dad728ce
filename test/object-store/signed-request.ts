import { createHash } from 'node:crypto'
import { request as httpRequest, type ClientRequest } from 'node:http'
import { answerTo, type Answer } from '#scripts/lib/http-client.js'
import {
  deriveKey,
  hmac,
  sha256,
  signRequest,
  uriEncode,
  type SigningCredentials,
} from '#src/object-store/request/signature-v4.js'

export interface Endpoint extends SigningCredentials {
  readonly port: number
}

export interface RequestOptions {
  readonly method?: string
  /** Not percent-encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** Added after signing. */
  readonly unsignedHeaders?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** The value of x-amz-content-sha256; default the hash of the body. */
  readonly contentSha256?: string
  readonly signedAt?: Date
  readonly secretKey?: string
}

export interface StoreAnswer extends Answer {
  /** The Code of an error document. */
  readonly code: string | undefined
}

/** One request that is signed by header. A test can forge every part of it. */
export async function send(endpoint: Endpoint, options: RequestOptions): Promise<StoreAnswer> {
  const request = open(endpoint, options)
  // Together with a body that is a string, Node would send the headers as UTF-8, and others than were signed.
  const body = Buffer.from((options.body ?? '') as Buffer)
  if (body.length > 0) request.write(body)
  request.end()
  return storeAnswerTo(request)
}

export async function storeAnswerTo(request: ClientRequest): Promise<StoreAnswer> {
  const answer = await answerTo(request)
  const isXml = answer.headers['content-type'] === 'application/xml'
  return Object.assign(answer, { code: isXml ? element(answer.text, 'Code') : undefined })
}

/** The same, signed but not yet sent. */
export function open(endpoint: Endpoint, options: RequestOptions): ClientRequest {
  const { headers, path } = sign(endpoint, options)
  const { method = 'GET', unsignedHeaders = {} } = options
  return httpRequest({
    host: '127.0.0.1',
    port: endpoint.port,
    method,
    path,
    headers: { ...headers, ...unsignedHeaders },
  })
}

export function sign(endpoint: Endpoint, options: RequestOptions) {
  const { method = 'GET', path, query = {}, body = '' } = options
  const { timestamp, scope, signingKey } = signingContext(endpoint, options)
  const contentSha256 = options.contentSha256 ?? createHash('sha256').update(body).digest('hex')
  const headers: Record<string, string> = {
    ...options.headers,
    host: `127.0.0.1:${endpoint.port}`,
    'x-amz-date': timestamp,
    'x-amz-content-sha256': contentSha256,
  }
  // Node changes the characters of a Content-Disposition that comes behind it.
  headers['content-length'] ??= String(Buffer.byteLength(body))
  const signedHeaders = Object.keys(headers).sort()
  const request = { method, path, query: Object.entries(query), headers: Object.entries(headers) }
  const signature = signRequest(request, { signedHeaders, timestamp, contentSha256 }, signingKey, scope)
  headers['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${endpoint.accessKey}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return { headers, path: target(path, query), signature, timestamp, scope, signingKey }
}

/** A presigned path and query, valid until `expires` seconds after signing. */
export function presign(endpoint: Endpoint, options: RequestOptions & { expires: number }): string {
  const { method = 'GET', path } = options
  const { timestamp, scope, signingKey } = signingContext(endpoint, options)
  const query: Record<string, string> = {
    ...options.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${endpoint.accessKey}/${scope}`,
    'X-Amz-Date': timestamp,
    'X-Amz-Expires': String(options.expires),
    'X-Amz-SignedHeaders': 'host',
  }
  const headers = [['host', `127.0.0.1:${endpoint.port}`]] as const
  const claim = { signedHeaders: ['host'], timestamp, contentSha256: 'UNSIGNED-PAYLOAD' }
  const signature = signRequest({ method, path, query: Object.entries(query), headers }, claim, signingKey, scope)
  return target(path, { ...query, 'X-Amz-Signature': signature })
}

export async function sendRaw(
  endpoint: Endpoint,
  method: string,
  path: string,
  body: Buffer | string = '',
  headers: Readonly<Record<string, string>> = {},
): Promise<StoreAnswer> {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers }
  const request = httpRequest({ host: '127.0.0.1', port: endpoint.port, method, path, headers: all })
  request.end(body)
  return storeAnswerTo(request)
}

/** An aws-chunked body, each chunk signed onto the one before. */
export function chunkedBody(pieces: readonly Buffer[], seed: ReturnType<typeof sign>): Buffer {
  let previous = seed.signature
  const encoded = [...pieces, Buffer.alloc(0)].map(piece => {
    const hash = createHash('sha256').update(piece).digest('hex')
    const parts = ['AWS4-HMAC-SHA256-PAYLOAD', seed.timestamp, seed.scope, previous, sha256(''), hash]
    previous = hmac(seed.signingKey, parts.join('\n')).toString('hex')
    const head = Buffer.from(`${piece.length.toString(16)};chunk-signature=${previous}\r\n`)
    return Buffer.concat([head, piece, Buffer.from('\r\n')])
  })
  return Buffer.concat(encoded)
}

export function element(xml: string, name: string): string | undefined {
  return elements(xml, name)[0]
}

export function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(match => match[1] ?? '')
}

function signingContext(endpoint: Endpoint, options: RequestOptions) {
  const timestamp = (options.signedAt ?? new Date()).toISOString().replace(/[-:]|\.\d+/g, '')
  const date = timestamp.slice(0, 8)
  const scope = `${date}/${endpoint.region}/s3/aws4_request`
  const credentials = { ...endpoint, secretKey: options.secretKey ?? endpoint.secretKey }
  return { timestamp, scope, signingKey: deriveKey(credentials, date) }
}

function target(path: string, query: Readonly<Record<string, string>>): string {
  const fields = Object.entries(query).map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
  return uriEncode(path, true) + (fields.length > 0 ? `?${fields.join('&')}` : '')
}
