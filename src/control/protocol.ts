/** The contract of the control API, for both of its ends: routes, documents, events and errors. */

import { z } from 'zod'
import { vitalsSchema } from '../ipc/vitals.js'

/** Every route, by the name of its command. */
export const routes = {
  status: { method: 'GET', path: '/v1/status' },
  serving: { method: 'GET', path: '/v1/serving' },
  logs: { method: 'GET', path: '/v1/logs' },
  reload: { method: 'POST', path: '/v1/reload' },
  scale: { method: 'POST', path: '/v1/scale' },
  stop: { method: 'POST', path: '/v1/stop' },
  openapi: { method: 'GET', path: '/v1/openapi.json' },
} as const

export type RouteName = keyof typeof routes

export const contentTypes = {
  json: 'application/json',
  /** One event per line. */
  events: 'application/x-ndjson',
  problem: 'application/problem+json',
} as const

const wholeNumber = z.number().int().nonnegative()

export const processSchema = z.object({
  role: z.enum(['worker', 'balancer']),
  id: z.string().describe('unique among the processes of its role'),
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

export const reloadedSchema = z.object({ replaced: wholeNumber.describe('how many workers were replaced') })

const workers = wholeNumber.min(1).max(1024).describe('how many workers are wanted')
const balancers = wholeNumber.max(64).describe('how many balancers are wanted; 0 in mesh mode')

/** The query of `GET /v1/logs`. */
export const logsQuerySchema = z.strictObject({
  lines: z.coerce.number().int().min(0).max(10_000).default(50).describe('how many of the last lines'),
  follow: z.enum(['0', '1']).default('0').describe('1: sends each further line as it comes'),
})

/** The counts to change; the other one stays. */
export const scaleSchema = z.strictObject({ workers: workers.optional(), balancers: balancers.optional() })

/** The counts that are wanted from now on. */
export const scaledSchema = z.object({ workers, balancers })

export const statusSchema = z.object({
  pid: wholeNumber.describe('of the primary'),
  version: z.string().describe('of Outpost'),
  state: z.enum(['starting', 'serving', 'stopping']).describe('serving: since the first request could be answered'),
  ageMs: wholeNumber.describe('milliseconds since the primary was started'),
  app: z.string().optional().describe('path of the app; missing for the built-in one'),
  dataDir: z.string(),
  host: z.string(),
  port: wholeNumber,
  wanted: scaledSchema,
  processes: z.array(processSchema),
})

/** The last lines that the instance has printed, in their order. */
export const logsSchema = z.object({ lines: z.array(z.string()) })

export const stoppingSchema = z.object({ pid: wholeNumber.describe('of the primary, which ends') })

const lastLinesSchema = z.array(z.string()).optional().describe('the last output of the failed worker')

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: wholeNumber,
  code: z.string(),
  detail: z.string(),
  lastLines: lastLinesSchema,
})

/** The progress of a command, before its last event. */
export const progressSchema = z.object({
  event: z.literal('replaced'),
  worker: z.string().describe('id of the worker that has left'),
})

export const failedSchema = z.object({
  event: z.literal('failed'),
  error: z.object({ code: z.string(), message: z.string(), lastLines: lastLinesSchema }),
})

/** What `POST /v1/reload` streams: any number of `replaced`, then one `done` or `failed`. */
export const reloadEventSchema = z.discriminatedUnion('event', [
  progressSchema,
  reloadedSchema.extend({ event: z.literal('done') }),
  failedSchema,
])

/** What `GET /v1/logs` streams. Only a client that asked to follow gets no `end`. */
export const logEventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('line'), line: z.string() }),
  z.object({ event: z.literal('skipped'), lines: wholeNumber.describe('lines that the client was too slow for') }),
  z.object({ event: z.literal('end') }),
  failedSchema,
])

/** What `POST /v1/stop` streams: one event. */
export const stopEventSchema = z.discriminatedUnion('event', [
  stoppingSchema.extend({ event: z.literal('stopping') }),
  failedSchema,
])

export type Status = z.infer<typeof statusSchema>
export type ProcessStatus = z.infer<typeof processSchema>
export type Logs = z.infer<typeof logsSchema>
export type LogEvent = z.infer<typeof logEventSchema>
export type Reloaded = z.infer<typeof reloadedSchema>
export type Scale = z.infer<typeof scaleSchema>
export type Scaled = z.infer<typeof scaledSchema>
export type Progress = z.infer<typeof progressSchema>
export type ReloadEvent = z.infer<typeof reloadEventSchema>
export type StopEvent = z.infer<typeof stopEventSchema>
export type Problem = z.infer<typeof problemSchema>

/** Every error of the control API. */
export const controlErrors = {
  MALFORMED_COMMAND: { status: 400, detail: 'The request is not well-formed HTTP/1.1.' },
  UNEXPECTED_BODY: { status: 400, detail: 'This command takes no body.' },
  INVALID_BODY: { status: 400, detail: 'The body is not the JSON document that this command takes.' },
  INVALID_QUERY: { status: 400, detail: 'The query is not one that this route takes.' },
  UNKNOWN_ROUTE: { status: 404, detail: 'The control API has no such route.' },
  WRONG_METHOD: { status: 405, detail: 'This route takes another method; Allow names it.' },
  COMMAND_TIMEOUT: { status: 408, detail: 'The command did not arrive in time.' },
  MODE_IS_FIXED: { status: 409, detail: 'Mesh mode and balancers cannot replace each other while Outpost runs.' },
  DEPLOY_UNDER_WAY: { status: 409, detail: 'A deploy is under way. Nothing has changed; try again after its end.' },
  RELOAD_UNDER_WAY: { status: 409, detail: 'A reload is under way. Nothing has changed; try again after its end.' },
  COMMAND_TOO_LARGE: { status: 431, detail: 'The request line or the headers are too large.' },
  RELOAD_FAILED: { status: 500, detail: 'A new worker did not become ready, or ended soon after.' },
  START_FAILED: { status: 500, detail: 'A worker did not become ready, and nothing is served.' },
  COMMAND_FAILED: { status: 500, detail: 'The command failed inside Outpost.' },
  STOPPING: { status: 503, detail: 'Outpost is stopping.' },
} as const

export type ControlErrorCode = keyof typeof controlErrors

/** A command that failed, with a code of the catalogue. */
export class ControlError extends Error {
  /** The last output of the failed worker, if a worker failed. */
  readonly lastLines: readonly string[] | undefined

  constructor(
    readonly code: ControlErrorCode,
    { message, lastLines, ...options }: ErrorOptions & { message?: string; lastLines?: readonly string[] } = {},
  ) {
    super(message ?? controlErrors[code].detail, options)
    this.name = 'ControlError'
    this.lastLines = lastLines
  }

  get status(): number {
    return controlErrors[this.code].status
  }
}
