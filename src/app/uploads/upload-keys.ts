/** The Redis keys that count uploads; see src/services/keys.ts for the others. */
export const uploadKeys = {
  /** Sizes of the stored uploads of an account by key, and their sum in the field `total`: a hash. */
  stored: (username: string) => `outpost:uploads:{${username}}`,
  /** Bytes that uploads under way have reserved: a hash from the key to `bytes until`. */
  reserved: (username: string) => `outpost:reserved-uploads:{${username}}`,
} as const
