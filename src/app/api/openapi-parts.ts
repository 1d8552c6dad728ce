/** The parts of the descriptions of the routes. */

const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` })

export const json = (name: string): object => ({ 'application/json': { schema: ref(name) } })

export const body = (name: string): object => ({ required: true, content: json(name) })

export const problem = (description: string): object => ({
  description,
  content: { 'application/problem+json': { schema: ref('Problem') } },
})

export const header = (description: string, schema: object = { type: 'string' }): object => ({ description, schema })

export const inPath = (name: string, pattern: string): object => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', pattern },
})

/** Either of the two is enough. */
export const signedIn = [{ bearer: [] }, { session: [] }]

export const unauthenticated = problem('Not signed in')
const limited = problem('Too many requests; `Retry-After` says when to try again')

/** Further answers of every route that counts its requests. */
export const counted = {
  429: limited,
  503: problem('A service that it needs is away or busy; `Retry-After` says when to try again'),
}
export const changing = { 403: problem('A page of another origin may not do this with your session'), ...counted }
export const withBody = {
  413: problem('The body is too large'),
  415: problem('This type of body is not supported'),
  ...changing,
}

export const noSpace = problem('The quota of the account, or the space of the storage, is used up; nothing is stored')
