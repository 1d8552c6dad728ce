/** The contract of the control API, for both of its ends: routes, documents, events and errors. */

import * as z from 'zod'
import { vitalsSchema } from '../ipc/vitals.js'

/** Every route, by the name of its command. */
export const routes = {
  status: { method: 'GET', path: '/v1/status' },
  serving: { method: 'GET', path: '/v1/serving' },
  logs: { method: 'GET', path: '/v1/logs' },
  reload: { method: 'POST', path: '/v1/reload' },
  scale: { method: 'POST', path: '/v1/scale' },
  releases: { method: 'GET', path: '/v1/releases' },
  deploy: { method: 'POST', path: '/v1/releases' },
  environment: { method: 'GET', path: '/v1/env' },
  setEnvironment: { method: 'POST', path: '/v1/env' },
  run: { method: 'GET', path: '/v1/run' },
  activate: { method: 'POST', path: '/v1/releases/{release}/activate' },
  rollback: { method: 'POST', path: '/v1/rollback' },
  pause: { method: 'POST', path: '/v1/pause' },
  resume: { method: 'POST', path: '/v1/resume' },
  maintain: { method: 'POST', path: '/v1/maintenance' },
  tokens: { method: 'GET', path: '/v1/tokens' },
  createToken: { method: 'POST', path: '/v1/tokens' },
  revokeToken: { method: 'POST', path: '/v1/tokens/revoke' },
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

/** Outpost gives these to each worker. */
const KEPT_NAMES = new Set(['PORT', 'NODE_APP_INSTANCE'])

const wholeNumber = z.number().int().nonnegative()

export const processSchema = z.object({
  role: z.enum(['worker', 'balancer', 'process']).describe('process: one that the Procfile wants beside the web'),
  id: z
    .string()
    .describe('unique among the processes of its role; of a process beside the web its name, e.g. worker.1'),
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

const workers = wholeNumber.max(1024).describe('how many workers are wanted; 0 while nobody needs one')
const balancers = wholeNumber.max(64).describe('how many balancers are wanted; 0 in mesh mode')

/** The query of `GET /v1/logs`. */
export const logsQuerySchema = z.strictObject({
  lines: z.coerce.number().int().min(0).max(10_000).default(50).describe('how many of the last lines'),
  follow: z.enum(['0', '1']).default('0').describe('1: sends each further line as it comes'),
})

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

/** Stages of a bake like `10:30,50:30`: percent of the clients, and seconds. */
const stagesSchema = z
  .string()
  .regex(/^(\d{1,3}(\.\d+)?:\d{1,6}(\.\d+)?(,(?!$))?){0,20}$/)
  .transform(text =>
    text
      .split(',')
      .filter(stage => stage !== '')
      .map(stage => stage.split(':').map(Number))
      .map(([percent = 0, seconds = 0]) => ({ share: percent / 100, ms: seconds * 1_000 })),
  )
  .refine(stages => stages.every(({ share }) => share > 0 && share <= 1))

/** The query of `POST /v1/releases`. Its body is a tar archive, compressed by gzip or not. */
export const deployQuerySchema = z.strictObject({
  source: z.string().max(500).default('').describe('what the archive is made of, as people know it'),
  stages: stagesSchema.default([]).describe('of the bake: percent of the clients and seconds, like 10:30,50:30'),
  preview: z
    .enum(['0', '1'])
    .default('0')
    .transform(flag => flag === '1')
    .describe('1: no client gets it but those who ask for it'),
})

/** The query of `POST /v1/releases/{release}/activate`. */
export const activateQuerySchema = deployQuerySchema.pick({ stages: true })

export const rollbackSchema = z.strictObject({
  release: z.string().max(64).optional().describe('by default the one before'),
})

/** Variables of the app, by name. */
export const environmentSchema = z.object({ env: z.record(z.string(), z.string()) })

const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/)
  .refine(name => !KEPT_NAMES.has(name))

/** Changes of them: they make a release. */
export const environmentChangeSchema = z.strictObject({
  set: z.record(variableName, z.string().max(64 * 1024)).default({}),
  unset: z.array(z.string().max(200)).default([]),
})

/** Where a one-off command of the live release runs, and its whole environment. */
export const runSchema = z.object({ cwd: z.string(), env: z.record(z.string(), z.string()) })

/** How long requests wait at most, in seconds. */
export const pauseSchema = z.strictObject({
  seconds: z.number().min(0.1).max(3_600).default(30).describe('after which they go on by themselves'),
  drain: z.boolean().default(false).describe('answers only when nothing is in flight any more'),
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
  retryAfter: retryAfter.default(60).describe('when clients are told to try again, in seconds'),
  allow: allow.default([]).describe('addresses and ranges (CIDR) of clients that reach the app as ever'),
})

export const maintenanceSetSchema = z.object({ on: z.boolean() })

export const maintenanceSchema = z.object({ since: z.string(), retryAfter, allow })

export const releaseSchema = z.object({
  id: z.string(),
  at: z.string().optional().describe('when it was made; missing for the code that the program was started with'),
  source: z.string().describe('what it was made of'),
  state: z
    .enum(['live', 'deploying', 'preview', 'warm', 'kept', 'taken-back'])
    .describe(
      'preview: only those get it who ask for it; warm: its workers are ready for a rollback; kept: its files are there',
    ),
  reason: z.string().optional().describe('why it was taken back'),
})

/** The newest first. */
export const releasesSchema = z.object({ releases: z.array(releaseSchema) })

const sideSchema = z.object({
  requests: wholeNumber.describe('answers, and tries that broke off'),
  failed: wholeNumber.describe('answers with a status from 500'),
  broken: wholeNumber.describe('tries without a whole answer'),
  p99Ms: z
    .number()
    .optional()
    .describe('one in a hundred answers took longer to begin; missing for less than a hundred'),
  growthBytes: z.number().describe('by how much the memory of a worker grew on average'),
})

export const reportSchema = z.object({
  before: sideSchema.describe('the release before'),
  fresh: sideSchema.describe('the new release, in the same seconds'),
  remark: z.string().optional().describe('that there was too little traffic to compare'),
})

const optionalReport = reportSchema.optional().describe('what both releases did while the new one was tried')

export const deployedSchema = z.object({
  release: z.string().describe('that all clients get now, or that is in preview'),
  report: optionalReport,
  preview: z
    .object({
      host: z.string().describe('begin of the host names that lead to it'),
      link: z.string().describe('path that sets a cookie which leads to it; nobody else can make it'),
    })
    .optional()
    .describe('how to get to the release, which no client gets otherwise'),
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
        result: z.string().describe('an exit code, the name of a signal, or why it was skipped or cut'),
      }),
    )
    .describe('the last five in this instance since its start, the newest first'),
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
  adminPort: wholeNumber.optional().describe('of this API on 127.0.0.1, for those with a token'),
  wanted: scaledSchema,
  release: z.string().optional().describe('the release that all clients get who get no other'),
  deploying: z
    .object({ release: z.string(), phase: z.string(), share: z.number().describe('of the clients; 1 is all') })
    .optional()
    .describe('the deploy or rollback under way'),
  preview: z
    .object({ release: z.string(), ready: z.boolean() })
    .optional()
    .describe('the release that only those get who ask for it'),
  sleep: z
    .object({
      asleep: z.boolean().describe('no worker is wanted, because nobody needs one'),
      heldBy: z.string().optional().describe('what keeps the workers now'),
      spare: z.boolean().describe('a process waits to be the next worker'),
    })
    .optional()
    .describe('missing unless WORKERS begins with 0, and once the number of workers was set'),
  paused: pausedSchema.optional().describe('requests wait, because of `POST /v1/pause`'),
  maintenance: maintenanceSchema.optional().describe('clients get a page, because of `POST /v1/maintenance`'),
  processes: z.array(processSchema),
  cron: z.array(cronSchema).optional().describe('the jobs of the live release; missing where there are none'),
})

/** Tokens for `127.0.0.1:ADMIN_PORT`. */
export const createTokenSchema = z.strictObject({
  name: z.string().max(100).default('').describe('for people'),
})
export const createdTokenSchema = z.object({
  id: z.string(),
  token: z.string().describe('shown once: only its hash is kept'),
})
export const revokeTokenSchema = z.strictObject({ id: z.string().max(64) })
export const revokedTokenSchema = z.object({ revoked: z.string().describe('its id') })
export const tokensSchema = z.object({
  tokens: z.array(z.object({ id: z.string(), name: z.string(), at: z.string().describe('when it was made') })),
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
  report: optionalReport,
})

/** The progress of a command, before its last event. */
export const progressSchema = z.object({
  event: z.literal('replaced'),
  worker: z.string().describe('id of the worker that has left'),
})

/** The progress of a deploy or a rollback, before its last event. */
export const deployProgressSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('received'), release: z.string(), files: wholeNumber, bytes: wholeNumber }),
  z.object({ event: z.literal('installing'), command: z.string() }),
  z.object({
    event: z.literal('baking'),
    release: z.string(),
    share: z.number().describe('of the clients; 1 is all'),
    seconds: z.number(),
  }),
  z.object({ event: z.literal('previewing'), release: z.string() }),
  z.object({ event: z.literal('filling'), release: z.string() }),
])

export const failedSchema = z.object({
  event: z.literal('failed'),
  error: z.object({ code: z.string(), message: z.string(), lastLines: lastLinesSchema, report: optionalReport }),
})

/** What `POST /v1/reload` streams: any number of `replaced`, then one `done` or `failed`. */
export const reloadEventSchema = z.discriminatedUnion('event', [
  progressSchema,
  reloadedSchema.extend({ event: z.literal('done') }),
  failedSchema,
])

/** What `POST /v1/releases` and `POST /v1/rollback` stream: any number of steps, then one `done` or `failed`. */
export const deployEventSchema = z.discriminatedUnion('event', [
  deployProgressSchema,
  deployedSchema.extend({ event: z.literal('done') }),
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
export type TokenInfo = z.infer<typeof tokensSchema>['tokens'][number]
export type CreatedToken = z.infer<typeof createdTokenSchema>
export type CronStatus = z.infer<typeof cronSchema>
export type ProcessStatus = z.infer<typeof processSchema>
export type Logs = z.infer<typeof logsSchema>
export type LogEvent = z.infer<typeof logEventSchema>
export type Reloaded = z.infer<typeof reloadedSchema>
export type Scale = z.infer<typeof scaleSchema>
export type Scaled = z.infer<typeof scaledSchema>
export type Pause = z.infer<typeof pauseSchema>
export type Paused = z.infer<typeof pausedSchema>
export type Resumed = z.infer<typeof resumedSchema>
export type Maintenance = z.infer<typeof maintenanceSchema>
export type MaintenanceWanted = z.infer<typeof maintenanceWantedSchema>
export type MaintenanceSet = z.infer<typeof maintenanceSetSchema>
export type EnvironmentChange = z.infer<typeof environmentChangeSchema>
export type RunPlace = z.infer<typeof runSchema>
export type ReleaseInfo = z.infer<typeof releaseSchema>
export type Releases = z.infer<typeof releasesSchema>
export type Deployed = z.infer<typeof deployedSchema>
export type DeployReport = z.infer<typeof reportSchema>
export type DeployQuery = z.infer<typeof deployQuerySchema>
export type DeployProgress = z.infer<typeof deployProgressSchema>
export type DeployEvent = z.infer<typeof deployEventSchema>
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
  UNAUTHORIZED: { status: 401, detail: 'The request has no token of this instance: outpost token create makes one.' },
  FOREIGN_ORIGIN: { status: 403, detail: 'The Host or the Origin of the request is not that of this port.' },
  SOCKET_ONLY: { status: 403, detail: 'Tokens are managed over the unix socket alone.' },
  UNKNOWN_TOKEN: { status: 404, detail: 'There is no such token.' },
  TOO_MANY_TOKENS: { status: 409, detail: 'There are as many tokens as there may be: revoke one.' },
  UNKNOWN_ROUTE: { status: 404, detail: 'The control API has no such route.' },
  WRONG_METHOD: { status: 405, detail: 'This route takes another method; Allow names it.' },
  COMMAND_TIMEOUT: { status: 408, detail: 'The command did not arrive in time.' },
  MODE_IS_FIXED: { status: 409, detail: 'Mesh mode and balancers cannot replace each other while Outpost runs.' },
  UNKNOWN_PROCESS: { status: 404, detail: 'The Procfile of the live release has no such process beside the web.' },
  UNKNOWN_RELEASE: { status: 404, detail: 'There is no such release to go back to.' },
  DEPLOY_UNDER_WAY: { status: 409, detail: 'A deploy is under way. Nothing has changed; try again after its end.' },
  RELOAD_UNDER_WAY: { status: 409, detail: 'A reload is under way. Nothing has changed; try again after its end.' },
  COMMAND_TOO_LARGE: { status: 431, detail: 'The request line or the headers are too large.' },
  ARCHIVE_REFUSED: { status: 422, detail: 'The archive is refused, and nothing of it is kept.' },
  INSTALL_FAILED: { status: 422, detail: 'The release could not be installed, and nothing of it is kept.' },
  TAKEN_BACK: { status: 500, detail: 'The release has failed and is taken back; the one before serves.' },
  RELOAD_FAILED: { status: 500, detail: 'A new worker did not become ready, or ended soon after.' },
  START_FAILED: { status: 500, detail: 'A worker did not become ready, and nothing is served.' },
  COMMAND_FAILED: { status: 500, detail: 'The command failed inside Outpost.' },
  STILL_IN_FLIGHT: { status: 504, detail: 'Requests were in flight until the pause was over, and the others go on.' },
  STOPPING: { status: 503, detail: 'Outpost is stopping.' },
} as const

export type ControlErrorCode = keyof typeof controlErrors

interface ControlErrorFacts {
  message?: string
  lastLines?: readonly string[] | undefined
  report?: DeployReport | undefined
}

/** A command that failed, with a code of the catalogue. */
export class ControlError extends Error {
  /** The last output of the failed worker, if a worker failed. */
  readonly lastLines: readonly string[] | undefined

  /** What both releases did, if a release was tried. */
  readonly report: DeployReport | undefined

  constructor(
    readonly code: ControlErrorCode,
    { message, lastLines, report, ...options }: ErrorOptions & ControlErrorFacts = {},
  ) {
    super(message ?? controlErrors[code].detail, options)
    this.name = 'ControlError'
    this.lastLines = lastLines
    this.report = report
  }

  get status(): number {
    return controlErrors[this.code].status
  }
}
