/** What may be in the head of a request: at the edge, and at a target that gets it with what the edge adds. */
export interface HeaderLimits {
  /** Bytes of the request line and all headers together. */
  maxHeaderBytes: number
  /** Number of headers; 0 for any. */
  maxHeaders: number
}

/** What the edge lets in, unless it is told otherwise. */
export const edgeHeaderLimits: HeaderLimits = { maxHeaderBytes: 16 * 1024, maxHeaders: 1_000 }

/** What the edge writes beside the client's headers, but for copies of those: names, ids, addresses, the envelope. */
const EDGE_BYTES = 2_048

/** A client may leave out the space after a colon; Node writes it. */
const SPACE_AFTER_COLON = 1

/**
 * What a target has to take in, so that whatever passes the edge passes the target as well. A header that is dropped
 * there, or a request that is refused, would be one that the edge vouched for.
 */
export function targetHeaderLimits({ maxHeaderBytes, maxHeaders }: HeaderLimits): HeaderLimits {
  // Host is copied to X-Forwarded-Host, and a trusted proxy's X-Forwarded-For may grow by what the edge makes of it.
  const copies = 2 * maxHeaderBytes
  return { maxHeaderBytes: maxHeaderBytes + copies + maxHeaders * SPACE_AFTER_COLON + EDGE_BYTES, maxHeaders: 0 }
}
