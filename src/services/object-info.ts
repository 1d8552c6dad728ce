import type { IncomingHttpHeaders } from 'node:http'

/** The facts of an object, without its bytes. */
export interface ObjectInfo {
  size: number
  /** Without quotes. */
  etag: string
  lastModified: Date
  contentType: string
  /** The metadata given to `put`, with names in lower case. */
  metadata: Readonly<Record<string, string>>
}

/** Facts that are stored with an object. */
export interface PutOptions {
  contentType?: string
  /** Kept with the object: printable ASCII, 2 KiB in all. */
  metadata?: Readonly<Record<string, string>>
}

const META = 'x-amz-meta-'

/** The headers that are sent with the object. */
export function headersOf({
  contentType = 'application/octet-stream',
  metadata = {},
}: PutOptions): Record<string, string> {
  const named = Object.entries(metadata).map(([name, value]) => [`${META}${name}`, value])
  return { 'content-type': contentType, ...(Object.fromEntries(named) as Record<string, string>) }
}

/** From the headers of an answer that has it, or a range of it. */
export function infoOf(headers: IncomingHttpHeaders): ObjectInfo {
  const metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = String(value)
  }
  const total = /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] ?? headers['content-length']
  return {
    size: Number(total),
    etag: (headers.etag ?? '').replace(/^"|"$/g, ''),
    lastModified: new Date(headers['last-modified'] ?? 0),
    contentType: headers['content-type'] ?? 'application/octet-stream',
    metadata,
  }
}
