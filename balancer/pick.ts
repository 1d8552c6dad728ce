/** What picking needs to know of a target. */
export interface Pickable {
  readonly inFlight: number
  readonly full: boolean
  readonly readySince: number
}

/**
 * The next one in turn that has room.
 * @param turn index of the one whose turn it is, in the order of `ready`
 * @returns the index, or -1 when all are full or excluded
 */
export function roundRobin<T extends Pickable>(ready: readonly T[], turn: number, excluded?: ReadonlySet<T>): number {
  for (let step = 0; step < ready.length; step += 1) {
    const index = (turn + step) % ready.length
    const target = ready[index] as T
    if (isPickable(target, excluded)) return index
  }
  return -1
}

/**
 * The less busy of two drawn at random ("power of two choices": nearly as even as comparing all, and without the
 * herd that follows when every balancer sees the same idle target).
 * @param random draws from [0, 1)
 * @returns the index, or -1 when all are full or excluded
 */
export function leastBusy<T extends Pickable>(
  ready: readonly T[],
  random: () => number,
  load: (target: T) => number,
  excluded?: ReadonlySet<T>,
): number {
  const draws = [random(), random()] as const
  const isOpen = (index: number): boolean => isPickable(ready[index] as T, excluded)
  const lessBusy = ([a, b]: Pair): number => (load(ready[a] as T) <= load(ready[b] as T) ? a : b)
  if (ready.length >= 2) {
    const pair = drawTwo(ready.length, draws)
    if (pair.every(isOpen)) return lessBusy(pair)
  }
  // Only when one of the two that were drawn is full or excluded are all of them looked at.
  const open = [...ready.keys()].filter(isOpen)
  if (open.length < 2) return open[0] ?? -1
  const [first, second] = drawTwo(open.length, draws)
  return lessBusy([open[first] as number, open[second] as number])
}

type Pair = readonly [number, number]

/** Two different indices under `count`, each as likely as any other. */
function drawTwo(count: number, [a, b]: Pair): Pair {
  const first = Math.floor(a * count)
  return [first, (first + 1 + Math.floor(b * (count - 1))) % count]
}

function isPickable<T extends Pickable>(target: T, excluded: ReadonlySet<T> | undefined): boolean {
  return !target.full && excluded?.has(target) !== true
}

/** Requests in flight, weighed up while the target is new: it warms up on a part of its share. */
export function weighedLoad(target: Pickable, now: number, slowStartMs: number): number {
  const age = now - target.readySince
  const share = slowStartMs === 0 || age >= slowStartMs ? 1 : Math.max(age / slowStartMs, 0.1)
  return (target.inFlight + 1) / share
}
