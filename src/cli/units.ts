/** Measurements as people read them. */

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const

/** The two largest units of a duration, e.g. `3h 12m`. */
export function duration(ms: number): string {
  let seconds = Math.floor(ms / 1_000)
  const first = UNITS.findIndex(([, length]) => seconds >= length)
  if (first === -1) return '0s'
  const parts = UNITS.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(seconds / length)
    seconds %= length
    return `${count}${unit}`
  })
  return parts.filter(part => !part.startsWith('0')).join(' ')
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

/** @param share 1 is all of it */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond))
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
