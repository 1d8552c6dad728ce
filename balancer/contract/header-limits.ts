/** Limits on the head of a request, at the edge or at a target. */
export interface HeaderLimits {
  /** Bytes of the request line and all headers together. */
  maxHeaderBytes: number
  /** Number of headers; 0 for any. */
  maxHeaders: number
}

/** The edge's default limits. */
export const edgeHeaderLimits: HeaderLimits = { maxHeaderBytes: 16 * 1024, maxHeaders: 1_000 }

/** Bytes that the edge adds to the client's headers, apart from copies of these: names, ids, addresses, the envelope. */
const EDGE_BYTES = 2_048

/** A client may leave out the space after a colon. Node writes it. */
const SPACE_AFTER_COLON = 1

/**
 * The limits of a target, wide enough that whatever passes the edge passes the target too. Otherwise a target could
 * drop a header or refuse a request that the edge has accepted.
 */
export function targetHeaderLimits({ maxHeaderBytes, maxHeaders }: HeaderLimits): HeaderLimits {
  // Host is copied to X-Forwarded-Host, and a trusted proxy's X-Forwarded-For may be as long again.
  const copies = 2 * maxHeaderBytes
  return { maxHeaderBytes: maxHeaderBytes + copies + maxHeaders * SPACE_AFTER_COLON + EDGE_BYTES, maxHeaders: 0 }
}
