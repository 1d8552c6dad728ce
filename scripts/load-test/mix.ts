import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Allowance } from './chaos.js'
import type { AskOptions, Reply } from '../lib/http-client.js'
import { form, formType } from '../lib/multipart-form.js'
import { PatientClient } from './patient-client.js'
import type { Outcome, Tally } from './tally.js'

const PASSWORD = 'a load test has no secrets'
const UPLOAD_BYTES = 32 * 1024

type Kind = `${'GET' | 'POST'} /${string}`

/** Tells the fault of an answer of 2xx. */
type Fault = (reply: Reply) => string | undefined

/** A write that was acknowledged, to be found again at the end. */
interface Acknowledged {
  what: string
  find: (client: PatientClient) => Promise<string | undefined>
}

/** The service is not set up for the test, so the counts would mean nothing. */
export class UnfitServiceError extends Error {}

/** The requests of the test, and the checks of their answers. */
export class Mix {
  readonly #acknowledged: Acknowledged[] = []
  readonly #seenIds = new Set<string>()
  #token = ''
  #username = ''
  /** The service under test takes uploads. */
  uploads = false

  constructor(
    private readonly origin: URL,
    private readonly tally: Tally,
    private readonly allowance: Allowance,
  ) {}

  /**
   * Makes the account that the reading requests use.
   * @throws {UnfitServiceError}
   */
  async prepare(): Promise<void> {
    const client = new PatientClient(this.origin)
    this.#username = newName()
    const registered = unlimited(
      await client.ask('/register', { json: { username: this.#username, password: PASSWORD } }),
    )
    if (registered.status !== 201) throw new UnfitServiceError(`POST /register answers ${describe(registered)}`)
    const login = unlimited(await client.ask('/login', { json: { username: this.#username, password: PASSWORD } }))
    const token = fieldsOf(login)['token']
    if (token === undefined) throw new UnfitServiceError(`POST /login answers ${describe(login)} without a token`)
    this.#token = token
    this.uploads = (await client.ask('/upload', { method: 'POST' })).status !== 404
    client.close()
  }

  /** Readers: nothing but safe requests, of which not one may fail. */
  async read(client: PatientClient): Promise<void> {
    await this.#send(client, 'GET /health', {}, reply => (reply.text === 'OK' ? undefined : 'wrong body'))
    const headers = { authorization: `Bearer ${this.#token}` }
    await this.#send(client, 'GET /me', { headers }, reply =>
      nameIn(reply) === this.#username ? undefined : 'the account of another user',
    )
  }

  /** Writers: each makes an account, signs in and uploads; acknowledged writes are checked at the end. */
  async write(client: PatientClient): Promise<void> {
    const username = newName()
    const credentials = { username, password: PASSWORD }
    const registered = await this.#send(client, 'POST /register', { json: credentials }, reply =>
      nameIn(reply) === username ? undefined : 'wrong body',
    )
    if (!registered) return
    this.#acknowledged.push({ what: 'account', find: other => findAccount(other, credentials) })
    let token = ''
    await this.#send(client, 'POST /login', { json: credentials }, reply => {
      token = fieldsOf(reply)['token'] ?? ''
      return token === '' ? 'no token' : undefined
    })
    if (this.uploads && token !== '') await this.#upload(client, token)
  }

  /** Looks for every acknowledged write. A missing one is a loss after any fault. */
  async verify(): Promise<void> {
    const client = new PatientClient(this.origin)
    for (const { what, find } of this.#acknowledged) {
      const reason = await find(client)
      const outcome = reason === undefined ? 'good' : 'lost'
      this.tally.add({ kind: `kept ${what}`, outcome, latencyMs: 0, ...(reason === undefined ? {} : { reason }) })
    }
    client.close()
  }

  async #upload(client: PatientClient, token: string): Promise<void> {
    const bytes = randomBytes(UPLOAD_BYTES)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const body = form({ name: 'file', filename: 'load', content: bytes })
    const headers = { authorization: `Bearer ${token}`, ...formType }
    let key = ''
    const stored = await this.#send(client, 'POST /upload', { headers, body }, reply => {
      const answer = fieldsOf(reply)
      key = answer['key'] ?? ''
      return answer['sha256'] === sha256 ? undefined : 'wrong checksum'
    })
    if (stored) this.#acknowledged.push({ what: 'upload', find: other => findUpload(other, key, sha256) })
  }

  /** Sends one request and counts its answer. @param kind its method and path @returns whether the answer was good */
  async #send(client: PatientClient, kind: Kind, options: AskOptions, fault: Fault): Promise<boolean> {
    const from = performance.now()
    const [method, path] = kind.split(' ') as [string, string]
    const reply = unlimited(await client.ask(path, { method, ...options }))
    const judged = this.#judge(kind, reply, fault)
    const worker = reply.headers['x-outpost-worker']?.toString()
    this.tally.add({ kind, latencyMs: performance.now() - from, worker, ...judged })
    return judged.outcome === 'good'
  }

  #judge(kind: Kind, reply: Reply, fault: Fault): { outcome: Outcome; reason?: string } {
    if (reply.status >= 200 && reply.status < 300) {
      const reason = fault(reply) ?? this.#duplicate(reply)
      return reason === undefined ? { outcome: 'good' } : { outcome: 'lost', reason }
    }
    // Each name is new: it is taken only if this very request was carried out twice.
    const twice = kind === 'POST /register' && reply.status === 409
    const reason = describe(reply) + (twice ? ', so it was sent twice' : '')
    if (reply.status === 0) return { outcome: this.allowance.reset ? 'allowed' : 'lost', reason }
    const code = codeIn(reply)
    if (code === 'HASHING_BUSY' && reply.headers['retry-after'] !== undefined) return { outcome: 'shed', reason }
    if (kind.startsWith('POST') && reply.status === 502 && this.allowance.post502) return { outcome: 'allowed', reason }
    const unavailable =
      reply.status === 503 && reply.headers['retry-after'] !== undefined && code === 'REDIS_UNAVAILABLE'
    return { outcome: unavailable && this.allowance.unavailable ? 'allowed' : 'lost', reason }
  }

  /** The same answer must not reach two requests. */
  #duplicate(reply: Reply): string | undefined {
    const id = String(reply.headers['x-request-id'])
    if (this.#seenIds.has(id)) return 'an answer came twice'
    this.#seenIds.add(id)
    return undefined
  }
}

async function findAccount(client: PatientClient, credentials: object): Promise<string | undefined> {
  const again = unlimited(await client.ask('/register', { json: credentials }))
  return again.status === 409 ? undefined : `missing: registering it again answers ${describe(again)}`
}

async function findUpload(client: PatientClient, key: string, sha256: string): Promise<string | undefined> {
  const reply = unlimited(await client.ask(`/uploads/${key}`))
  return createHash('sha256').update(reply.body).digest('hex') === sha256 ? undefined : `missing: ${describe(reply)}`
}

/** The first reply of a rate limit ends the test: those that follow would all count as lost. */
function unlimited(reply: Reply): Reply {
  if (reply.status === 429) throw new UnfitServiceError('the service limits rates: start it with RATE_LIMIT_MAX=0')
  return reply
}

function newName(): string {
  return `load-${randomUUID()}`
}

function nameIn(reply: Reply): string | undefined {
  return fieldsOf(reply)['username']
}

function codeIn(reply: Reply): string | undefined {
  return fieldsOf(reply)['code']
}

/** The string fields of a JSON object; empty for any other answer. */
function fieldsOf(reply: Reply): Record<string, string | undefined> {
  try {
    const value = JSON.parse(reply.text) as unknown
    const fields = typeof value === 'object' && value !== null ? Object.entries(value) : []
    return Object.fromEntries(fields.filter((field): field is [string, string] => typeof field[1] === 'string'))
  } catch {
    return {}
  }
}

function describe(reply: Reply): string {
  return reply.error ?? `${reply.status} ${codeIn(reply) ?? ''}`.trim()
}
