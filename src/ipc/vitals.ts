import { z } from 'zod'

/** Measurements of a child: sent with each heartbeat, kept by the primary, and part of the status. */
export const vitalsSchema = z.object({
  loopDelayMs: z.number().describe('delay of its event loop in milliseconds, at its last heartbeat'),
  rssBytes: z.number().int().nonnegative().describe('resident memory in bytes, at its last heartbeat'),
})

export type Vitals = Readonly<z.infer<typeof vitalsSchema>>

/** Before the first heartbeat. */
export const noVitals: Vitals = { loopDelayMs: 0, rssBytes: 0 }
