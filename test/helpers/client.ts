import http from 'node:http'
import { ask, jsonOf, type Answer, type AskOptions } from '#scripts/lib/http-client.js'

export { ask, jsonOf, type Answer, type AskOptions } from '#scripts/lib/http-client.js'

/** How many of the answers each worker gave, by its name. */
export function sharesOf(answers: readonly Answer[]): Record<string, number> {
  const shares: Record<string, number> = {}
  for (const { headers } of answers) {
    const name = String(headers['x-outpost-worker'])
    shares[name] = (shares[name] ?? 0) + 1
  }
  return shares
}

export interface Credentials {
  username: string
  password: string
}

/** The proofs of a sign-in. Either one suffices. */
export interface Signed {
  token: string
  /** As it goes into a Cookie header. */
  cookie: string
}

const PASSWORD = 'correct horse'

let people = 0

/** A name that no other test uses, and a good password. */
export function somebody(name = 'user'): Credentials {
  people += 1
  return { username: `${name}-${process.pid}-${people}`, password: PASSWORD }
}

export function register(base: string, json: Credentials, options: AskOptions = {}): Promise<Answer> {
  return ask(base, '/register', { ...options, json })
}

export function login(base: string, json: Credentials, options: AskOptions = {}): Promise<Answer> {
  return ask(base, '/login', { ...options, json })
}

/** Signs in, and fails when that does not work. */
export async function signIn(base: string, credentials: Credentials, options: AskOptions = {}): Promise<Signed> {
  const answer = await login(base, credentials, options)
  if (answer.status !== 200) throw new Error(`cannot sign in: ${answer.status} ${answer.text}`)
  return { token: String(jsonOf(answer)['token']), cookie: cookieOf(answer) }
}

/** Registers somebody new and signs in. */
export async function member(base: string): Promise<Credentials & Signed> {
  const credentials = somebody()
  const answer = await register(base, credentials)
  if (answer.status !== 201) throw new Error(`cannot register: ${answer.status} ${answer.text}`)
  return { ...credentials, ...(await signIn(base, credentials)) }
}

export function bearer(token: string): http.OutgoingHttpHeaders {
  return { authorization: `Bearer ${token}` }
}

/** The session cookie that an answer sets. */
export function cookieOf(answer: Answer): string {
  return (answer.headers['set-cookie'] ?? []).map(cookie => cookie.split(';')[0]!).join('; ')
}

export interface LoadReport {
  answers: Answer[]
  failures: Error[]
}

/** The pause between an answer and the next request of a client: steady traffic leaves the machine time for other work. */
const PAUSE_MS = 10

/** Requests one after the other over a few kept-alive connections, until it is stopped. */
export class Load {
  readonly #report: LoadReport = { answers: [], failures: [] }
  readonly #clients: Promise<void>[]
  #stopping = false

  constructor(
    private readonly base: string,
    private readonly path: string,
    clients = 4,
    private readonly pauseMs = PAUSE_MS,
  ) {
    this.#clients = Array.from({ length: clients }, () => this.#client())
  }

  get answered(): number {
    return this.#report.answers.length
  }

  async stop(): Promise<LoadReport> {
    this.#stopping = true
    await Promise.all(this.#clients)
    return this.#report
  }

  async #client(): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!this.#stopping) {
      try {
        this.#report.answers.push(await ask(this.base, this.path, { agent }))
      } catch (error) {
        this.#report.failures.push(error as Error)
      }
      await new Promise(resolve => setTimeout(resolve, this.pauseMs))
    }
    agent.destroy()
  }
}
