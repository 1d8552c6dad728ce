import * as z from 'zod'
import { vitalsSchema } from '../../ipc/vitals.js'
import { scaledSchema } from './counts.js'
import { maintenanceSchema, pausedSchema } from './edge.js'

const wholeNumber = z.number().int().nonnegative()

const processSchema = z.object({
  role: z.enum(['worker', 'balancer', 'process']).describe('process: a process of the Procfile'),
  id: z
    .string()
    .describe('unique among the processes of its role; for a process of the Procfile its name, e.g. worker.1'),
  pid: wholeNumber.optional().describe('missing when the process could not be forked'),
  release: z.string().describe('the code that it runs'),
  generation: wholeNumber.describe('the reload that it was started after; 0 for none'),
  place: wholeNumber.describe('number of its place among those of its role and release, from 0'),
  state: z.enum(['starting', 'ready', 'crashed', 'draining', 'stopping', 'exited']),
  ageMs: wholeNumber.describe('milliseconds since the process was started'),
  servedMs: wholeNumber.describe('milliseconds since the process was ready; 0 before'),
  restarts: wholeNumber.describe('processes of its place that ended unasked or were replaced, but not by a reload'),
  ...vitalsSchema.shape,
})

const cronSchema = z.object({
  name: z.string(),
  schedule: z.string().describe('as it was written'),
  timeZone: z.string(),
  command: z.string().describe('without its variables'),
  next: z.string().describe('when it is due'),
  running: z
    .object({ since: z.string(), pid: wholeNumber.optional().describe('of its process group') })
    .optional()
    .describe('the run under way in this instance'),
  runs: z
    .array(
      z.object({
        at: z.string(),
        ms: wholeNumber.describe('how long it took'),
        result: z.string().describe('exit code, name of a signal, or reason why it was skipped or ended'),
      }),
    )
    .describe('the last five in this instance, the newest first'),
})

export const statusSchema = z.object({
  pid: wholeNumber.describe('of the primary'),
  version: z.string().describe('of Outpost'),
  state: z.enum(['starting', 'serving', 'stopping']).describe('serving: since the first request could be answered'),
  ageMs: wholeNumber.describe('milliseconds since the primary was started'),
  app: z.string().optional().describe('path of the app; missing for the built-in one'),
  dataDir: z.string(),
  host: z.string(),
  port: wholeNumber,
  adminPort: wholeNumber.optional().describe('of this API on 127.0.0.1; each request needs a token'),
  wanted: scaledSchema,
  release: z.string().optional().describe('the release that clients get unless they are assigned another'),
  deploying: z
    .object({ release: z.string(), phase: z.string(), share: z.number().describe('of the clients; 1 is all') })
    .optional()
    .describe('the deploy or rollback under way'),
  preview: z
    .object({ release: z.string(), ready: z.boolean() })
    .optional()
    .describe('the release of clients that ask for it'),
  sleep: z
    .object({
      asleep: z.boolean().describe('no worker is wanted, because none is needed'),
      heldBy: z.string().optional().describe('the reason why workers stay now'),
      spare: z.boolean().describe('a process waits to be the next worker'),
    })
    .optional()
    .describe('missing unless WORKERS begins with 0, and once the number of workers was set'),
  paused: pausedSchema.optional().describe('requests wait, because of `POST /v1/pause`'),
  maintenance: maintenanceSchema.optional().describe('clients get a page, because of `POST /v1/maintenance`'),
  processes: z.array(processSchema),
  cron: z.array(cronSchema).optional().describe('the jobs of the live release; missing where there are none'),
})

export type Status = z.infer<typeof statusSchema>
export type CronStatus = z.infer<typeof cronSchema>
export type ProcessStatus = z.infer<typeof processSchema>
