/**
 * A file in which a worker writes down the requests that its app has, for the primary to read when the worker fails. It
 * has a slot of a fixed size for each request at a time: a letter, and the method and path.
 */
export const SLOT_BYTES = 256
export const MAX_SLOTS = 512

/** Requests are noted for this long after a worker has failed. */
export const NOTED_MS = 3_600_000

/** The first byte of a slot. */
export const noteState = {
  /** The app is being called with the request, so a worker that fails now fails in this call. */
  called: 'c',
  /** The call has returned, and the answer is not complete. */
  open: 'o',
  over: '-',
} as const

export interface NotedRequest {
  method: string
  path: string
  /** The app was being called with it. */
  isCalled: boolean
}

/** Beside the socket of the worker. */
export function requestNotesPath(socketPath: string): string {
  return `${socketPath}${NOTES_SUFFIX}`
}

export const NOTES_SUFFIX = '.requests'

export function noteOf(method: string, target: string): string {
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  return `${noteState.called}${method} ${path}`.slice(0, SLOT_BYTES).padEnd(SLOT_BYTES)
}

/** The requests whose answers are not complete. */
export function readNotes(text: string): NotedRequest[] {
  const requests: NotedRequest[] = []
  for (let at = 0; at < text.length; at += SLOT_BYTES) {
    const state = text[at]
    const [method = '', path = ''] = text
      .slice(at + 1, at + SLOT_BYTES)
      .trimEnd()
      .split(' ')
    if (state !== noteState.called && state !== noteState.open) continue
    requests.push({ method, path, isCalled: state === noteState.called })
  }
  return requests
}
