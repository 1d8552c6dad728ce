import * as z from 'zod'
import { validated } from '../validation.js'
import { MAX_PASSWORD_BYTES } from './password-hasher.js'
import { passwordFault } from './password-rules.js'

/** No account has a shorter one. New passwords have more: see password-rules.ts. */
const MIN_STORED_PASSWORD = 6
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

/** Some letters and marks are not shown: with them, two names would look the same. */
const newUsername = username
  .refine(value => !/\p{Default_Ignorable_Code_Point}/u.test(value), 'must not contain invisible characters')
  .refine(value => !/^\p{M}/u.test(value), 'must not begin with a mark that belongs to a letter')

const password = z
  .string('must be a string')
  .refine(
    value => Buffer.byteLength(value) <= MAX_PASSWORD_BYTES,
    `must have at most ${MAX_PASSWORD_BYTES} bytes in UTF-8`,
  )
  .refine(value => !value.includes('\0'), 'must not contain NUL')
  // In UTF-8 they would all be the same character.
  .refine(value => !/\p{Surrogate}/u.test(value), 'must be well-formed Unicode')

const storedPassword = password.refine(
  value => value.length >= MIN_STORED_PASSWORD,
  `must have at least ${MIN_STORED_PASSWORD} characters`,
)

const credentials = z.object({ username, password: storedPassword })
const newCredentials = z.object({ username: newUsername, password }).superRefine((value, context) => {
  const reason = passwordFault(value.password, value.username)
  if (reason !== undefined) context.addIssue({ code: 'custom', path: ['password'], message: reason })
})
const passwordChange = z.object({ currentPassword: storedPassword, newPassword: password })
const sessionEnd = z.object({ password: storedPassword, id: z.string('must be a string').optional() })

export type Credentials = z.infer<typeof credentials>

/**
 * Username and password of a sign-in, the username in its normal form; whatever else the body holds is ignored.
 * @throws {HttpError} VALIDATION_FAILED with the reasons
 */
export function parseCredentials(body: unknown): Credentials {
  return validated(credentials, body)
}

/** The same for a new account, of which more is demanded. */
export function parseNewCredentials(body: unknown): Credentials {
  return validated(newCredentials, body)
}

/**
 * The passwords of a change.
 * @throws {HttpError} VALIDATION_FAILED with the reasons
 */
export function parsePasswordChange(body: unknown, username: string): z.infer<typeof passwordChange> {
  const checked = passwordChange.superRefine((value, context) => {
    const reason = passwordFault(value.newPassword, username)
    if (reason !== undefined) context.addIssue({ code: 'custom', path: ['newPassword'], message: reason })
  })
  return validated(checked, body)
}

/** The password, and the id of one sign-in if not all others are to end. */
export function parseSessionEnd(body: unknown): z.infer<typeof sessionEnd> {
  return validated(sessionEnd, body)
}
