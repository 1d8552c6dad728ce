import type * as z from 'zod'
import { HttpError } from './errors.js'

/**
 * Parses a value by the schema of a route.
 * @throws {HttpError} VALIDATION_FAILED with every reason, by field
 */
export function validated<T>(shape: z.ZodType<T>, value: unknown): T {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => ({ field: path.join('.') || 'body', reason: message }))
  throw new HttpError('VALIDATION_FAILED', { faults })
}
