/** A recorded load: the requests that came in each second. */
export interface Recording {
  readonly name: string
  readonly perSecond: readonly number[]
}

const LOW = 50
const HIGH = 400

/** A line from one rate to another, the end left out. */
function line(from: number, to: number, seconds: number): number[] {
  return Array.from({ length: seconds }, (_, second) => from + ((to - from) * second) / seconds)
}

function level(rate: number, seconds: number): number[] {
  return line(rate, rate, seconds)
}

/** When the step comes, in seconds. */
export const STEP_AT = 120

export const step: Recording = {
  name: 'step',
  perSecond: [...level(LOW, STEP_AT), ...level(HIGH, 300), ...level(LOW, 300)],
}

export const ramp: Recording = {
  name: 'ramp',
  perSecond: [
    ...level(LOW, 60),
    ...line(LOW, HIGH, 300),
    ...level(HIGH, 60),
    ...line(HIGH, LOW, 300),
    ...level(LOW, 60),
  ],
}

export const spike: Recording = {
  name: 'spike',
  perSecond: [...level(LOW, 120), ...level(500, 20), ...level(LOW, 340)],
}

export const sawtooth: Recording = {
  name: 'sawtooth',
  perSecond: Array.from({ length: 5 }, () => [...line(LOW, HIGH, 90), ...level(LOW, 60)]).flat(),
}

const NIGHT_S = 3_600

/** A day of one hour: much at noon, next to nothing at night. */
export const night: Recording = {
  name: 'night',
  perSecond: Array.from({ length: NIGHT_S }, (_, second) => {
    return 5 + 175 * (1 + Math.cos((2 * Math.PI * second) / NIGHT_S))
  }),
}

export const recordings: readonly Recording[] = [step, ramp, spike, sawtooth, night]
