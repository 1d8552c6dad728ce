/** Waits for `promise`, but not for ever: a test that hangs should say what it waited for. */
export async function within<T>(promise: Promise<T>, what: string, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Often enough for a test not to wait long, and seldom enough to leave the machine to what it waits for. */
const LOOK_EVERY_MS = 20

/** Waits until `holds` is true, for facts that no event tells of. */
export function until(holds: () => boolean | Promise<boolean>, what: string, ms = 10_000): Promise<void> {
  let given = false
  const look = async (): Promise<void> => {
    while (!given && !(await holds())) await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return within(look(), what, ms).finally(() => (given = true))
}
