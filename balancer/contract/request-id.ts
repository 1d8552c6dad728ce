import { ServerResponse } from 'node:http'

const requestId = Symbol('requestId')

interface Named extends ServerResponse {
  [requestId]?: string
}

type WriteHead = (this: Named, ...args: unknown[]) => ServerResponse

/**
 * Adds the id of a request to its answer, unless the answer has one. It is added only with the head: if a header was set
 * before, Node takes no list of pairs for the head, and merges names that differ in their letters.
 */
export function nameAnswer(response: ServerResponse, id: string): void {
  watchHeads()
  ;(response as Named)[requestId] = id
}

/** Once for the process: a method that is replaced on each answer costs more than all else that is done here. */
function watchHeads(): void {
  if (isWatching) return
  isWatching = true
  const prototype = ServerResponse.prototype as unknown as { writeHead: WriteHead }
  const { writeHead: original } = prototype
  prototype.writeHead = function writeHead(...args) {
    const id = this[requestId]
    if (id === undefined || this.headersSent) return original.apply(this, args)
    const given = args.findIndex(Array.isArray)
    const list = args[given] as unknown[] | undefined
    if (list === undefined) {
      if (!this.hasHeader(NAME)) this.setHeader(NAME, id)
      return original.apply(this, args)
    }
    // The list may be a constant of the app.
    if (!this.hasHeader(NAME) && !isNamedIn(list))
      args[given] = list.concat(Array.isArray(list[0]) ? [[NAME, id]] : [NAME, id])
    return original.apply(this, args)
  }
}

const NAME = 'X-Request-Id'
let isWatching = false

/** @param list pairs, or names and values in turn */
function isNamedIn(list: readonly unknown[]): boolean {
  const names = Array.isArray(list[0])
    ? (list as unknown[][]).map(([name]) => name)
    : list.filter((_, i) => i % 2 === 0)
  return names.some(name => String(name).toLowerCase() === NAME.toLowerCase())
}
