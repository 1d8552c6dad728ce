import type { ChildProcess } from 'node:child_process'
import * as z from 'zod'
import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import type { ReleaseFigures } from '#balancer/contract/latency-buckets.js'
import type { EndedTarget, KnownFatalRequest, TargetSpec } from '#balancer/contract/targets.js'
import type { Config, ConfigFor } from '../config/config.js'
import { embeddables } from '../config/embedding.js'
import { vitalsSchema } from './vitals.js'

// The balancer defines the messages about targets.
const targetSchema: z.ZodType<TargetSpec> = z.object({
  id: z.string(),
  socketPath: z.string(),
  draining: z.boolean(),
  release: z.string().optional(),
  share: z.number().optional(),
})
const endedSchema: z.ZodType<EndedTarget> = z.object({
  id: z.string(),
  fault: z.boolean(),
  explained: z.boolean().optional(),
})
const fatalSchema: z.ZodType<KnownFatalRequest> = z.object({
  method: z.string(),
  path: z.string(),
  endedAt: z.array(z.number()),
})

const edgeSchema: z.ZodType<EdgeOrder> = z.object({
  pausedUntil: z.number().optional(),
  maintenance: z.object({ page: z.string(), retryAfterS: z.number(), allowed: z.array(z.string()) }).optional(),
  preview: z.object({ release: z.string(), token: z.string() }).optional(),
  mixedUntil: z.number().optional(),
})

const figuresSchema: z.ZodType<ReleaseFigures> = z.object({
  release: z.string(),
  clients: z.number(),
  answered: z.number(),
  failed: z.number(),
  broken: z.number(),
  latencies: z.array(z.tuple([z.number(), z.number()])),
})

/** The address and keys of the object storage, as sent to every worker. */
const storageSchema = z.object({
  /** `http://host[:port]` or `https://…` */
  endpoint: z.string(),
  /** The unix socket that the storage listens on, for users who may enter its folder. */
  socketPath: z.string().optional(),
  accessKey: z.string(),
  secretKey: z.string(),
  bucket: z.string(),
  region: z.string(),
})

/** The part of an app that serves: its server on PORT, a server on another port, or its default export. */
const servedBySchema = z.enum(['public-port', 'other-port', 'export'])

/** The first order of a worker. Secrets travel here, not in the environment. */
const startSchema = z.object({
  type: z.literal('start'),
  id: z.string(),
  config: z.custom<ConfigFor<'worker'>>(isObject),
  /** How many workers are wanted, for limits that all of them share. */
  workers: z.number(),
  /** The socket on which it serves HTTP to the balancers. */
  socketPath: z.string(),
  /** The bound public port. An app that listens sees this port. */
  publicPort: z.number(),
  /** Every worker balances for itself. */
  mesh: z.boolean(),
  /** The part that served earlier workers with the same code after a wait. */
  servedBy: servedBySchema.optional(),
  redis: z.union([z.object({ path: z.string(), password: z.string().optional() }), z.object({ url: z.string() })]),
  storage: storageSchema,
  /** The servers that somebody else runs, and those that run here or start when they are asked for. */
  elsewhere: z.array(z.enum(embeddables)),
  embeddable: z.array(z.enum(embeddables)),
  sessionSecret: z.string(),
  /** The key of the balancers' envelopes, made anew at each start. */
  identityKey: z.string(),
})

/** The first order of a balancer. It gets no secret but the key of its envelopes. */
const balancerStartSchema = z.object({
  type: z.literal('start-balancer'),
  id: z.string(),
  config: z.custom<ConfigFor<'balancer'>>(isObject),
  identityKey: z.string(),
  /** Where several balancers share copies of answers. */
  keptFolder: z.string().optional(),
})

/** The first order of the embedded object store. Comes with a bound handle if the store has a port. */
const storeSchema = z.object({
  type: z.literal('start-store'),
  directory: z.string(),
  socketPath: z.string(),
  /** The named pipe whose end stops the store. */
  lifeline: z.string(),
  accessKey: z.string(),
  secretKey: z.string(),
  region: z.string(),
  /** Undefined: the store's own default. */
  minFreeBytes: z.number().optional(),
  logLevel: z.custom<Config['logLevel']>(value => typeof value === 'string'),
})

/** From the primary to a child. */
const orderSchema = z.discriminatedUnion('type', [
  startSchema,
  balancerStartSchema,
  storeSchema,
  /** Comes with the public port's handle, bound by the primary. */
  z.object({ type: z.literal('listen') }),
  /** Comes with an accepted connection (mesh mode). */
  z.object({ type: z.literal('connection') }),
  /** Always the complete list of targets, and those that have ended recently. */
  z.object({
    type: z.literal('targets'),
    /** The number of this list. */
    list: z.number(),
    targets: z.array(targetSchema),
    /** How many processes balance. */
    balancers: z.number(),
    ended: z.array(endedSchema).optional(),
    fatal: z.array(fatalSchema).optional(),
  }),
  /** The order about requests, before a target is looked for; the next list of targets acknowledges it. */
  z.object({ type: z.literal('edge'), order: edgeSchema }),
  /** The worker writes down which requests its app has, because a worker has failed (mesh mode). */
  z.object({ type: z.literal('note-requests') }),
  /** How many workers are wanted from now on, for limits that all of them share. */
  z.object({ type: z.literal('workers'), workers: z.number() }),
  /** Each next answer of a balancing process is the last on its connection. It accepts further ones. */
  z.object({ type: z.literal('last-answers') }),
  /** No new requests will come. The child ends long-lived sessions, so that their clients go to other workers. */
  z.object({ type: z.literal('drain') }),
  z.object({
    type: z.literal('stop'),
    deadlineMs: z.number(),
    /** How long connections without a request stay open, because one may be on its way. */
    settleMs: z.number().optional(),
  }),
])

/** State that an app keeps in the memory of one worker. */
const localStates = ['sessions', 'rate limits', 'rooms'] as const

/** From a child to the primary. */
const reportSchema = z.discriminatedUnion('type', [
  /** The first report: the child listens for orders from now on. */
  z.object({ type: z.literal('hello') }),
  z.object({
    type: z.literal('ready'),
    /** The address that an app asked for with its listen on the public port. */
    host: z.string().optional(),
  }),
  /** The part of the app that serves from now on, and whether the worker has waited for a server on PORT. */
  z.object({ type: z.literal('served-by'), by: servedBySchema, waited: z.boolean() }),
  /** The balancer accepts connections. */
  z.object({ type: z.literal('listening') }),
  z.object({ type: z.literal('failed'), reason: z.string() }),
  /** Sent each second. */
  z.object({ type: z.literal('heartbeat'), vitals: vitalsSchema }),
  /** The app uses a server that may not run yet. */
  z.object({ type: z.literal('needs'), service: z.enum(embeddables) }),
  /** The app keeps this in the memory of each worker. Other workers do not see it. */
  z.object({ type: z.literal('keeps-locally'), state: z.enum(localStates) }),
  /** The app's work besides requests, as far as it can be seen. Sent when its worker begins to end. */
  z.object({
    type: z.literal('own-work'),
    timers: z.number(),
    connections: z.array(z.string().max(64)).max(8),
  }),
  /** New requests go by the list with this number. */
  z.object({ type: z.literal('routed'), list: z.number() }),
  /** Nothing is in flight any more since the pause that ends then. */
  z.object({ type: z.literal('quiet'), pausedUntil: z.number() }),
  z.object({ type: z.literal('target-state'), id: z.string(), state: z.string() }),
  /** A target stays out of use. */
  z.object({ type: z.literal('target-out'), id: z.string(), reason: z.string() }),
  z.object({ type: z.literal('drained'), id: z.string() }),
  /** A balancer that drains need not wait any longer: its clients have left, or are not worth a wait. */
  z.object({ type: z.literal('clients-gone') }),
  /** A request waits, because no worker is ready. */
  z.object({ type: z.literal('no-worker') }),
  /** A request has ended this worker. */
  z.object({ type: z.literal('ended-by-request'), id: z.string() }),
  /** How many workers a request of this method and path has ended. */
  z.object({ type: z.literal('fatal-request'), method: z.string(), path: z.string(), targets: z.number() }),
  /** The answers to the clients of each release since the last report. Sent while a release is being tried. */
  z.object({ type: z.literal('release-figures'), figures: z.array(figuresSchema) }),
  /** The child has received the oldest of the connections on their way to it (mesh mode). */
  z.object({ type: z.literal('connection-taken') }),
  /** The limit of open connections of clients is reached, and others are refused. Sent once a minute at most. */
  z.object({ type: z.literal('full'), connections: z.number() }),
  /** An event that concerns the security of the service, for the log. The sender bounds it. */
  z.object({ type: z.literal('security'), facts: z.record(z.string(), z.unknown()), message: z.string() }),
  /** Advice for the log, once for all processes. */
  z.object({ type: z.literal('hint'), message: z.string() }),
  /** An uncaught exception in mesh mode: the worker hands over its connections and exits by itself. */
  z.object({ type: z.literal('crashed') }),
  /** The child asks to be replaced: it got a SIGTERM of its own, or its app is over. */
  z.object({ type: z.literal('replace-me'), reason: z.string() }),
])

export type ServedBy = z.infer<typeof servedBySchema>
export type LocalState = (typeof localStates)[number]
/** The start of a worker. */
export type StartOrder = z.infer<typeof startSchema>
export type BalancerStartOrder = z.infer<typeof balancerStartSchema>
/** An order of the time after the start. */
export type LaterOrder = Exclude<Order, StartOrder | BalancerStartOrder>
export type StorageAddress = z.infer<typeof storageSchema>
export type StoreOrder = z.infer<typeof storeSchema>
export type Order = z.infer<typeof orderSchema>
export type Report = z.infer<typeof reportSchema>

/** Marks reports, because apps send messages too: `process.send('ready')` is common under PM2. */
const envelopeSchema = z.object({ outpost: reportSchema })

/** A malformed order. Both ends are built together, so it is a bug, not bad input. */
export class MessageError extends Error {}

export function parseOrder(message: unknown): Order {
  const parsed = orderSchema.safeParse(message)
  if (parsed.success) return parsed.data
  throw new MessageError(`message is not an order: ${JSON.stringify(message)}`)
}

/** Undefined for a message of the app in a child. Such a message must not break the primary. */
export function parseReport(message: unknown): Report | undefined {
  return envelopeSchema.safeParse(message).data?.outpost
}

/** Sends an order from the primary. A child that has exited is not an error here: its exit is reported elsewhere. */
export function sendOrder(child: ChildProcess, order: Order, handle?: object): void {
  if (!child.connected) return
  child.send(order, handle as never, () => undefined)
}

/** Sends a report from a child. */
export function sendReport(report: Report): void {
  if (!process.connected || process.send === undefined) return
  process.send({ outpost: report }, undefined, undefined, () => undefined)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
