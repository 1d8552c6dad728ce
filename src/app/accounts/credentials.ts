import { z } from 'zod'
import { MAX_PASSWORD_BYTES } from './password-hasher.js'
import { validated } from '../validation.js'

const MIN_PASSWORD = 6
const MAX_USERNAME = 64

/**
 * Usernames are compared in one normal form: Unicode NFC, lower case. So "José" is one account however it is typed,
 * and nobody can register "ALICE" beside "alice". Lower case decomposes some letters, so NFC is applied again.
 */
const username = z
  .string('must be a string')
  .transform(value => value.normalize('NFC').toLowerCase().normalize('NFC'))
  .refine(
    value => value !== '' && Array.from(value).length <= MAX_USERNAME,
    `must have 1 to ${MAX_USERNAME} characters`,
  )
  .refine(value => /^[\p{L}\p{M}\p{N}._@+-]*$/u.test(value), 'may contain letters, digits and . _ @ + - only')

const password = z
  .string('must be a string')
  .refine(value => value.length >= MIN_PASSWORD, `must have at least ${MIN_PASSWORD} characters`)
  .refine(
    value => Buffer.byteLength(value) <= MAX_PASSWORD_BYTES,
    `must have at most ${MAX_PASSWORD_BYTES} bytes in UTF-8`,
  )
  .refine(value => !value.includes('\0'), 'must not contain NUL')
  // In UTF-8 they would all be the same character.
  .refine(value => !/\p{Surrogate}/u.test(value), 'must be well-formed Unicode')

const schema = z.object({ username, password })

export type Credentials = z.infer<typeof schema>

/**
 * Username and password of a body, the username in its normal form; whatever else the body holds is ignored.
 * @throws {HttpError} VALIDATION_FAILED with the reasons
 */
export function parseCredentials(body: unknown): Credentials {
  return validated(schema, body)
}
