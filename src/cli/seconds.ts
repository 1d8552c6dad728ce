import { InvalidArgumentError } from 'commander'

/** Reads the value of an option. */
export function secondsOf(text: string): number {
  const seconds = Number(text.replace(/s$/, ''))
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw new InvalidArgumentError('It is a number of seconds, up to 3600.')
  return seconds
}
