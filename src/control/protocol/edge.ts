import * as z from 'zod'

const wholeNumber = z.number().int().nonnegative()

/** How long requests wait at most, in seconds. */
export const pauseSchema = z.strictObject({
  seconds: z.number().min(0.1).max(3_600).default(30).describe('after which they go on by themselves'),
  drain: z.boolean().default(false).describe('answers only once nothing is in flight'),
})

export const pausedSchema = z.object({
  since: z.string().describe('when requests began to wait'),
  until: z.string().describe('when they go on by themselves'),
})

export const resumedSchema = z.object({ pausedMs: wholeNumber.describe('how long requests waited; 0: they did not') })

const retryAfter = wholeNumber.min(1).max(86_400)
const allow = z.array(z.string().max(60)).max(100)

/** Whether clients get a page in place of the app. */
export const maintenanceWantedSchema = z.strictObject({
  on: z.boolean(),
  page: z
    .string()
    .max(256 * 1024)
    .optional()
    .describe('HTML; by default a plain page'),
  retryAfter: retryAfter.default(60).describe('how long clients are told to wait, in seconds'),
  allow: allow.default([]).describe('addresses and ranges (CIDR) of clients that still reach the app'),
})

export const maintenanceSetSchema = z.object({ on: z.boolean() })

export const maintenanceSchema = z.object({ since: z.string(), retryAfter, allow })

export type PauseWanted = z.infer<typeof pauseSchema>
export type Paused = z.infer<typeof pausedSchema>
export type Resumed = z.infer<typeof resumedSchema>
export type Maintenance = z.infer<typeof maintenanceSchema>
export type MaintenanceWanted = z.infer<typeof maintenanceWantedSchema>
export type MaintenanceSet = z.infer<typeof maintenanceSetSchema>
