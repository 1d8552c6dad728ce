import * as z from 'zod'
import { label } from './label.js'

/** Tokens for `127.0.0.1:ADMIN_PORT`. */
export const createTokenSchema = z.strictObject({
  name: label(100).default('').describe('for people'),
})
export const createdTokenSchema = z.object({
  id: z.string(),
  token: z.string().describe('shown once: only its hash is kept'),
})
export const revokeTokenSchema = z.strictObject({ id: z.string().max(64) })
export const revokedTokenSchema = z.object({ revoked: z.string().describe('id of the token') })
export const tokensSchema = z.object({
  tokens: z.array(z.object({ id: z.string(), name: z.string(), at: z.string().describe('when it was made') })),
})

export type TokenInfo = z.infer<typeof tokensSchema>['tokens'][number]
export type CreatedToken = z.infer<typeof createdTokenSchema>
