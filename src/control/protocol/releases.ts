import * as z from 'zod'
import { label } from './label.js'

/** Outpost gives these to each worker. */
const KEPT_NAMES = new Set(['PORT', 'NODE_APP_INSTANCE'])

const wholeNumber = z.number().int().nonnegative()

/** Stages of a bake like `10:30,50:30`: percent of the clients, and seconds. With 100 percent nothing is compared. */
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
  .refine(stages => stages.every(({ share }) => share > 0 && share < 1))

/** The query of `POST /v1/releases`. Its body is a tar archive, compressed by gzip or not. */
export const deployQuerySchema = z.strictObject({
  source: label(500).default('').describe('the folder or archive that is deployed, as people know it'),
  stages: stagesSchema
    .default([])
    .describe('of the bake: percent of the clients, under 100, and seconds, like 10:30,50:30'),
  preview: z
    .enum(['0', '1'])
    .default('0')
    .transform(flag => flag === '1')
    .describe('1: only clients that ask for it get it'),
})

/** The query of `POST /v1/releases/{release}/activate`. */
export const activateQuerySchema = deployQuerySchema.pick({ stages: true })

export const rollbackSchema = z.strictObject({
  release: z.string().max(64).optional().describe('the previous one by default'),
})

/** Variables of the app, by name. */
export const environmentSchema = z.object({ env: z.record(z.string(), z.string()) })

/** Why it cannot be the name of a variable that is set; undefined if it can. */
export function faultOfName(name: string): string | undefined {
  if (KEPT_NAMES.has(name)) return `${name} is set by Outpost`
  if (/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(name)) return undefined
  return `a name has letters, digits and _, and does not begin with a digit: ${name}`
}

const MAX_VALUE_LENGTH = 64 * 1024

/** Why it cannot be the value of a variable; undefined if it can. No process could start with a NUL. */
export function faultOfValue(value: string): string | undefined {
  if (value.length > MAX_VALUE_LENGTH) return `the value is longer than ${MAX_VALUE_LENGTH / 1024} KiB`
  return value.includes('\0') ? 'the value has a NUL' : undefined
}

const variableValue = z
  .string()
  .max(MAX_VALUE_LENGTH)
  .refine(value => faultOfValue(value) === undefined, 'the value has a NUL')

const variableName = z.string().refine(name => faultOfName(name) === undefined)

/** Changes of them: they make a release. */
export const environmentChangeSchema = z.strictObject({
  set: z.record(variableName, variableValue).default({}),
  unset: z.array(z.string().max(200)).default([]),
})

/** Where a one-off command of the live release runs, and its whole environment. */
export const runSchema = z.object({ cwd: z.string(), env: z.record(z.string(), z.string()) })

const releaseSchema = z.object({
  id: z.string(),
  at: z.string().optional().describe('when it was made; missing for the code that the program was started with'),
  source: z.string().describe('the folder or archive that was deployed'),
  state: z
    .enum(['live', 'deploying', 'preview', 'warm', 'kept', 'taken-back'])
    .describe(
      'preview: only clients that ask for it get it; warm: its workers are ready for a rollback; kept: its files are there',
    ),
  reason: z.string().optional().describe('why it was taken back'),
})

/** The newest first. */
export const releasesSchema = z.object({ releases: z.array(releaseSchema) })

const sideSchema = z.object({
  requests: wholeNumber.describe('answers, and tries without a whole one'),
  failed: wholeNumber.describe('answers with a status from 500'),
  broken: wholeNumber.describe('tries without a whole answer'),
  p99Ms: z
    .number()
    .optional()
    .describe('99th percentile of the time to the first byte; missing for fewer than 100 answers'),
  growthBytes: z.number().describe('by how much the memory of a worker grew on average'),
})

const reportSchema = z.object({
  before: sideSchema.describe('the previous release'),
  fresh: sideSchema.describe('the new release, in the same seconds'),
  remark: z.string().optional().describe('facts that could not be compared, and why'),
})

export const optionalReport = reportSchema.optional().describe('figures of both releases while the new one was tried')

export const deployedSchema = z.object({
  release: z.string().describe('the release that all clients get now, or that is in preview'),
  report: optionalReport,
  preview: z
    .object({
      host: z.string().describe('first part of the host names that lead to it'),
      link: z.string().describe('path that sets a cookie which leads to it; nobody else can make it'),
    })
    .optional()
    .describe('how to reach the release, which clients do not get otherwise'),
  changed: z
    .object({ count: wholeNumber, files: z.array(z.string()).describe('the first of them') })
    .optional()
    .describe('files of the release that were changed or removed after it was deployed'),
  unrecorded: z
    .string()
    .optional()
    .describe(
      'why the release is not recorded on the disk yet; until it is, a start of the program would serve another',
    ),
})

/** The progress of a deploy or a rollback, before its last event. */
export const deployProgressSchema = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('received'),
    release: z.string(),
    files: wholeNumber,
    bytes: wholeNumber,
    leftOut: z.string().optional().describe('a folder that was left out, because it has the name of DATA_DIR'),
  }),
  z.object({ event: z.literal('installing'), command: z.string() }),
  z.object({
    event: z.literal('baking'),
    release: z.string(),
    share: z.number().describe('of the clients; 1 is all'),
    seconds: z.number(),
  }),
  z.object({ event: z.literal('previewing'), release: z.string() }),
  z.object({ event: z.literal('filling'), release: z.string() }),
  z.object({ event: z.literal('withdrawing'), release: z.string() }),
])

export type EnvironmentChange = z.infer<typeof environmentChangeSchema>
export type RunPlace = z.infer<typeof runSchema>
export type ReleaseInfo = z.infer<typeof releaseSchema>
export type Deployed = z.infer<typeof deployedSchema>
export type DeployReport = z.infer<typeof reportSchema>
export type DeployQuery = z.infer<typeof deployQuerySchema>
export type DeployProgress = z.infer<typeof deployProgressSchema>
