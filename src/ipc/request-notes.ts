/**
 * A file with the requests that the app of a worker has, for the primary to read when the worker has failed. It has a
 * slot of a fixed size for each request at a time: two letters, and the method and path.
 */
export const SLOT_BYTES = 256
export const MAX_SLOTS = 512

/** Requests are noted in a file for this long after a worker has failed of which they were not known. */
export const NOTED_MS = 3_600_000

/** The first byte of a slot. */
export const noteState = {
  /** The app is being called with the request, so a worker that fails now fails in this call. */
  called: 'c',
  /** The call has returned, and the answer is not complete. */
  open: 'o',
  over: '-',
} as const

export type NoteState = (typeof noteState)[keyof typeof noteState]

/** The second byte of a slot: a client of the worker itself has sent the request, or another worker has passed it on. */
const origin = { client: 'c', sibling: 's' } as const

export interface NotedRequest {
  method: string
  path: string
  /** The app was being called with it. */
  isCalled: boolean
  /** A client of this worker has sent it. The worker that has passed another one on learns what has become of it. */
  isOwn: boolean
}

/** Beside the socket of the worker. */
export function requestNotesPath(socketPath: string): string {
  return `${socketPath}${NOTES_SUFFIX}`
}

export const NOTES_SUFFIX = '.requests'

export function noteOf(method: string, target: string, isOwn = true, state: NoteState = noteState.called): string {
  const from = isOwn ? origin.client : origin.sibling
  return `${state}${from}${method} ${pathOf(target)}`.slice(0, SLOT_BYTES).padEnd(SLOT_BYTES)
}

export function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** The requests whose answers are not complete. */
export function readNotes(text: string): NotedRequest[] {
  const requests: NotedRequest[] = []
  for (let at = 0; at < text.length; at += SLOT_BYTES) {
    const [state, from] = text.slice(at, at + 2)
    const [method = '', path = ''] = text
      .slice(at + 2, at + SLOT_BYTES)
      .trimEnd()
      .split(' ')
    if (state !== noteState.called && state !== noteState.open) continue
    requests.push({ method, path, isCalled: state === noteState.called, isOwn: from === origin.client })
  }
  return requests
}
