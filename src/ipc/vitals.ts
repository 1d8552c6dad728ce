import * as z from 'zod'

const wholeNumber = z.number().int().nonnegative()
const share = z.number().nonnegative()

/** The requests of a process, as it counts them. */
const requestCountsSchema = z.object({
  inFlight: wholeNumber.describe('requests without a complete answer, at its last heartbeat'),
  streaming: wholeNumber.describe('of these, at a worker: those whose answer has begun'),
  waiting: wholeNumber.describe('requests that a balancing process holds until a worker has a place for them'),
  upgraded: wholeNumber.describe('open WebSockets and other upgraded connections, at its last heartbeat'),
  requests: wholeNumber.describe('requests since it was started'),
})

/** Measurements of a child: sent with each heartbeat, kept by the primary, and part of the status. */
export const vitalsSchema = z.object({
  loopDelayMs: z.number().describe('delay of its event loop in milliseconds, at its last heartbeat'),
  loopUse: share.describe('share of the last second in which its event loop was busy; 1 is all of it'),
  cpuUse: share.describe('CPU time in the last second; 1 is one core'),
  rssBytes: wholeNumber.describe('resident memory in bytes, at its last heartbeat'),
  ...requestCountsSchema.shape,
  requestsPerSecond: share.describe('in the last second'),
  leases: z.array(z.string()).describe('names of the leases that it holds, eight at most'),
})

export type RequestCounts = Readonly<z.infer<typeof requestCountsSchema>>
/** An app counts its requests, and none of them waits for a worker. */
export type AppRequestCounts = Omit<RequestCounts, 'waiting'>
export type Vitals = Readonly<z.infer<typeof vitalsSchema>>

/** Before the first heartbeat. */
export const noVitals: Vitals = {
  loopDelayMs: 0,
  loopUse: 0,
  cpuUse: 0,
  rssBytes: 0,
  inFlight: 0,
  streaming: 0,
  waiting: 0,
  upgraded: 0,
  requests: 0,
  requestsPerSecond: 0,
  leases: [],
}
