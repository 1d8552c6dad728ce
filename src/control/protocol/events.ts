import * as z from 'zod'
import { DEFAULT_LINES, MAX_LINES } from './log-lines.js'
import { deployedSchema, deployProgressSchema, optionalReport } from './releases.js'

const wholeNumber = z.number().int().nonnegative()

export const reloadedSchema = z.object({ replaced: wholeNumber.describe('how many workers were replaced') })

/** The query of `GET /v1/logs`. */
export const logsQuerySchema = z.strictObject({
  lines: z.coerce.number().int().min(0).max(MAX_LINES).default(DEFAULT_LINES).describe('how many of the last lines'),
  follow: z.enum(['0', '1']).default('0').describe('1: sends new lines as they come'),
})

/** The last lines that the instance has printed, in their order. */
export const logsSchema = z.object({ lines: z.array(z.string()) })

export const stoppingSchema = z.object({ pid: wholeNumber.describe('of the primary, which ends') })

const path = z.string().startsWith('/').max(4096)

/** Another version of the program, and the Node that runs it. */
export const upgradeWantedSchema = z.strictObject({
  program: path.describe('absolute path of its dist/main.js'),
  node: path.optional().describe('path of the Node that runs it; this one by default'),
  within: z
    .number()
    .min(0.1)
    .max(3_600)
    .optional()
    .describe('seconds that requests in flight may take, in place of SHUTDOWN_TIMEOUT_MS'),
})

export const upgradingSchema = z.object({
  from: z.string().describe('the version that ends'),
  to: z.string().describe('the version that stands by'),
  pid: wholeNumber.describe('of the primary that takes over'),
  launcher: wholeNumber.describe('pid of the process that was started first, and ends with the last version'),
})

const lastLinesSchema = z.array(z.string()).optional().describe('the last output of the failed worker')

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: wholeNumber,
  code: z.string(),
  detail: z.string(),
  lastLines: lastLinesSchema,
  report: optionalReport,
})

/** The progress of a command, before its last event. */
const progressSchema = z.object({
  event: z.literal('replaced'),
  worker: z.string().describe('id of the worker that has left'),
})

const failedSchema = z.object({
  event: z.literal('failed'),
  error: z.object({ code: z.string(), message: z.string(), lastLines: lastLinesSchema, report: optionalReport }),
})

/** The events of `POST /v1/reload`: any number of `replaced`, then one `done` or `failed`. */
export const reloadEventSchema = z.discriminatedUnion('event', [
  progressSchema,
  reloadedSchema.extend({ event: z.literal('done') }),
  failedSchema,
])

/** The events of `POST /v1/releases` and `POST /v1/rollback`: any number of steps, then one `done` or `failed`. */
export const deployEventSchema = z.discriminatedUnion('event', [
  deployProgressSchema,
  deployedSchema.extend({ event: z.literal('done') }),
  failedSchema,
])

/** The events of `GET /v1/logs`. Only a client that asked to follow gets no `end`. */
export const logEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('line'), line: z.string() }),
  z.object({
    event: z.literal('skipped'),
    lines: wholeNumber.describe('number of lines that the client was too slow to receive'),
  }),
  z.object({ event: z.literal('end') }),
  failedSchema,
])

/** The one event of `POST /v1/stop`. */
export const stopEventSchema = z.discriminatedUnion('event', [
  stoppingSchema.extend({ event: z.literal('stopping') }),
  failedSchema,
])

export type LogEvent = z.infer<typeof logEventSchema>
export type Reloaded = z.infer<typeof reloadedSchema>
export type DeployEvent = z.infer<typeof deployEventSchema>
export type Progress = z.infer<typeof progressSchema>
export type ReloadEvent = z.infer<typeof reloadEventSchema>
export type UpgradeWanted = z.infer<typeof upgradeWantedSchema>
export type Upgrading = z.infer<typeof upgradingSchema>
export type StopEvent = z.infer<typeof stopEventSchema>
export type Problem = z.infer<typeof problemSchema>
