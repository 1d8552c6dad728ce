import * as z from 'zod'

/** A name for people, as commands print it. Bytes that a terminal would obey are replaced. */
export function label(maxLength: number): z.ZodString {
  return z
    .string()
    .max(maxLength)
    .overwrite(text => text.replace(/\p{Cc}/gu, '?'))
}
