/**
 * While a release is tried, what clients get is counted by groups of clients. So what one client got can be left out
 * without anybody keeping a list of clients.
 */
export const CLIENT_GROUPS = 16

/** The group of a client, the same in all processes (FNV-1a). @param key see `clientKey` */
export function clientGroup(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  // The low bits of neighbouring addresses differ least.
  return ((hash ^ (hash >>> 16)) >>> 0) % CLIENT_GROUPS
}
