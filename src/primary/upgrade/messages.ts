import * as z from 'zod'

/** A program file, and the Node that runs it. Paths. */
const programFileSchema = z.object({ node: z.string(), program: z.string() })

/** From the launcher to a program that it has started. */
const toProgramSchema = z.discriminatedUnion('type', [
  /** The first message. Comes with the public port's handle. */
  z.object({ type: z.literal('take'), host: z.string(), port: z.number() }),
  /** The program before this one has ended. */
  z.object({
    type: z.literal('go'),
    /** The upgrade that has failed, if this program comes back after it. */
    failure: z.string().optional(),
  }),
  /** The answer to `upgrade`. */
  z.object({ type: z.literal('prepared'), version: z.string(), pid: z.number(), launcher: z.number() }),
  z.object({ type: z.literal('refused'), reason: z.string() }),
])

/** From a program to its launcher. */
const toLauncherSchema = z.discriminatedUnion('type', [
  /** The program could serve in this environment. Comes with the port's handle, which the launcher keeps meanwhile. */
  z.object({
    type: z.literal('standing-by'),
    version: z.string(),
    /** How long its start may take, in milliseconds. */
    servingMs: z.number().optional(),
  }),
  /** A request can be answered. */
  z.object({ type: z.literal('serving') }),
  z.object({ type: z.literal('failed'), reason: z.string() }),
  /** The program stops as it was told to, and none is to come after it. */
  z.object({ type: z.literal('cancel') }),
  /** Another program is to come after this one. Comes with the public port's handle. */
  z.object({ type: z.literal('upgrade'), file: programFileSchema, host: z.string(), port: z.number() }),
])

export type ProgramFile = z.infer<typeof programFileSchema>
export type ToProgram = z.infer<typeof toProgramSchema>
export type ToLauncher = z.infer<typeof toLauncherSchema>

/** The two ends may be of different versions: what is not understood is ignored. */
export function parseToProgram(message: unknown): ToProgram | undefined {
  return toProgramSchema.safeParse(message).data
}

export function parseToLauncher(message: unknown): ToLauncher | undefined {
  return toLauncherSchema.safeParse(message).data
}
