/** The contract of the control API, for both of its ends: routes, documents, events and errors. */

import { z } from 'zod'
import { vitalsSchema } from '../ipc/vitals.js'

/** Every route, by the name of its command. */
export const routes = {
  status: { method: 'GET', path: '/v1/status' },
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
  servedMs: wholeNumber.describe('milliseconds since the process was ready; 0 before'),
  ...vitalsSchema.shape,
})

export const statusSchema = z.object({
  pid: wholeNumber.describe('of the primary'),
  host: z.string(),
  port: wholeNumber,
  processes: z.array(processSchema),
})

export const reloadedSchema = z.object({ replaced: wholeNumber.describe('how many workers were replaced') })

const workers = wholeNumber.min(1).max(1024).describe('how many workers are wanted')
const balancers = wholeNumber.max(64).describe('how many balancers are wanted; 0 in mesh mode')

/** The counts to change; the other one stays. */
export const scaleSchema = z.strictObject({ workers: workers.optional(), balancers: balancers.optional() })

/** The counts that are wanted from now on. */
export const scaledSchema = z.object({ workers, balancers })

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

/** What `POST /v1/stop` streams: one event. */
export const stopEventSchema = z.discriminatedUnion('event', [
  stoppingSchema.extend({ event: z.literal('stopping') }),
  failedSchema,
])

export type Status = z.infer<typeof statusSchema>
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
  UNKNOWN_ROUTE: { status: 404, detail: 'The control API has no such route.' },
  WRONG_METHOD: { status: 405, detail: 'This route takes another method; Allow names it.' },
  COMMAND_TIMEOUT: { status: 408, detail: 'The command did not arrive in time.' },
  MODE_IS_FIXED: { status: 409, detail: 'Mesh mode and balancers cannot replace each other while Outpost runs.' },
  COMMAND_TOO_LARGE: { status: 431, detail: 'The request line or the headers are too large.' },
  RELOAD_FAILED: { status: 500, detail: 'A new worker did not become ready, or ended soon after.' },
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
