import type { Context, InstanceOptions } from './context.js'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Waits for what an instance does, which does not end with the command. If the command is interrupted, it says so.
 * @param note what goes on; undefined while nothing does
 */
export async function goingOn<T>(
  { output }: Context,
  { json }: InstanceOptions,
  note: () => string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const tell = (signal: NodeJS.Signals): void => {
    const text = note()
    if (text !== undefined && json !== true) output.note(text)
    for (const each of SIGNALS) process.off(each, tell)
    process.kill(process.pid, signal)
  }
  for (const signal of SIGNALS) process.on(signal, tell)
  try {
    return await work()
  } finally {
    for (const signal of SIGNALS) process.off(signal, tell)
  }
}
