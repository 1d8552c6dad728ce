import { InvalidArgumentError } from 'commander'

/** A number of seconds. */
export function secondsOf(text: string): number {
  const seconds = Number(text.replace(/s$/, ''))
  if (!(seconds >= 0.1 && seconds <= 3_600))
    throw new InvalidArgumentError('It must be a number of seconds up to 3600.')
  return seconds
}

/** The values of an option that may be repeated. */
export const more = (value: string, before: string[] = []): string[] => [...before, value]
