/** The answer to one request. */
export interface PageAnswer {
  /** 0 when there was no answer at all. */
  status: number
  body: Record<string, unknown>
  /** Undefined unless the service reports it (EXPOSE_WORKER=1). */
  worker: string | undefined
  /** HIT, MISS or STALE where the answer may come from the cache. */
  cache: string | undefined
  retryAfter: string | undefined
}

type HeaderOf = (name: string) => string | null

export const NO_ANSWER: PageAnswer = { status: 0, body: {}, worker: undefined, cache: undefined, retryAfter: undefined }

export async function ask(method: string, path: string, json?: object): Promise<PageAnswer> {
  try {
    const response = await fetch(path, {
      method,
      ...(json === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(json) }),
    })
    return answerOf(response.status, await response.text(), name => response.headers.get(name))
  } catch {
    return NO_ANSWER
  }
}

export function answerOf(status: number, text: string, header: HeaderOf): PageAnswer {
  return {
    status,
    body: parsed(text),
    worker: header('X-Outpost-Worker') ?? undefined,
    cache: header('X-Cache') ?? undefined,
    retryAfter: header('Retry-After') ?? undefined,
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** The text that explains a failed request to a person. */
export function explain({ status, body, retryAfter }: PageAnswer): string {
  if (status === 0) return 'The service cannot be reached.'
  const detail = typeof body['detail'] === 'string' ? body['detail'] : `The service answered ${status}.`
  const reasons = Array.isArray(body['errors']) ? (body['errors'] as { field: string; reason: string }[]) : []
  const told = reasons.map(({ field, reason }) => `${field} ${reason}`).join('; ')
  const later = retryAfter === undefined ? '' : ` Try again in ${retryAfter} s.`
  return (told === '' ? detail : `${told}.`) + later
}
