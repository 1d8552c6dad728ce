import * as z from 'zod'

const wholeNumber = z.number().int().nonnegative()

const workers = wholeNumber.max(1024).describe('how many workers are wanted; 0 while none is needed')
const balancers = wholeNumber.max(64).describe('how many balancers are wanted; 0 in mesh mode')

const processes = z
  .record(z.string().max(100), wholeNumber.max(64))
  .describe('how many of each process of the Procfile are wanted, by name')

/** The counts to change; the others stay. */
export const scaleSchema = z.strictObject({
  workers: workers.min(1).optional(),
  balancers: balancers.optional(),
  processes: processes.optional(),
})

/** The counts that are wanted from now on. */
export const scaledSchema = z.object({ workers, balancers, processes: processes.optional() })

export type Scale = z.infer<typeof scaleSchema>
export type Scaled = z.infer<typeof scaledSchema>
