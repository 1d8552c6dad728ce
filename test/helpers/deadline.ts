/** The event that is waited for, or a function that also says how things stand. */
type Awaitable = string | (() => string)

/** Waits for `promise`, but not for ever, so that a test that hangs names what it waited for. */
export async function within<T>(promise: Promise<T>, what: Awaitable, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === 'string' ? what : what()}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Short enough that a test does not wait long, and long enough to leave the machine to the program. */
const LOOK_EVERY_MS = 20

/** Waits until `holds` is true, for facts without an event. */
export function until(holds: () => boolean | Promise<boolean>, what: Awaitable, ms = 10_000): Promise<void> {
  let given = false
  const look = async (): Promise<void> => {
    while (!given && !(await holds())) await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return within(look(), what, ms).finally(() => (given = true))
}
