/** The arguments of an app's call of `server.listen`. */
export type ListenCall =
  | { kind: 'port'; port: number; host: string | undefined; callback: ListenCallback | undefined; signal?: AbortSignal }
  | { kind: 'path'; path: string }
  | { kind: 'descriptor'; fd: number; callback: ListenCallback | undefined; signal?: AbortSignal }
  /** A handle that is open already, or arguments that Node refuses. */
  | { kind: 'other' }

type ListenCallback = () => void

/** Reads the arguments of `listen` as Node does. */
export function listenCall(args: readonly unknown[]): ListenCall {
  const [first, second] = args
  const last = args.at(-1)
  const callback = typeof last === 'function' ? (last as ListenCallback) : undefined
  if (typeof first === 'object' && first !== null) return callOf(first, callback)
  if (first === undefined || first === null || typeof first === 'function') return onPort(0, undefined, callback)
  const port = portOf(first)
  if (port !== undefined) return onPort(port, typeof second === 'string' ? second : undefined, callback)
  return typeof first === 'string' ? { kind: 'path', path: first } : { kind: 'other' }
}

function callOf(options: object, callback: ListenCallback | undefined): ListenCall {
  const { port, host, path, fd, signal } = options as Record<string, unknown>
  if ('_handle' in options) return { kind: 'other' }
  const ending = signal instanceof AbortSignal ? { signal } : {}
  if (typeof fd === 'number') return fd >= 0 ? { kind: 'descriptor', fd, callback, ...ending } : { kind: 'other' }
  const asked = 'port' in options ? portOf(port ?? 0) : undefined
  if (asked !== undefined) {
    return { ...onPort(asked, typeof host === 'string' ? host : undefined, callback), ...ending }
  }
  return typeof path === 'string' ? { kind: 'path', path } : { kind: 'other' }
}

function onPort(port: number, host: string | undefined, callback: ListenCallback | undefined) {
  return { kind: 'port' as const, port, host, callback }
}

function portOf(value: unknown): number | undefined {
  if (typeof value === 'string' && !/^\s*\d+\s*$/.test(value)) return undefined
  const port = Number(value)
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : undefined
}

/** Whether clients of any interface would be accepted. */
export function isEverywhere(host: string | undefined): boolean {
  return host === undefined || host === '' || host === '0.0.0.0' || host === '::'
}
