/** The facts about a target that picking needs. */
export interface Pickable {
  readonly inFlight: number
  readonly full: boolean
  readonly readySince: number
}

/**
 * The next target in turn that has room.
 * @param turn index in `ready` of the target whose turn it is
 * @returns the index, or -1 if all are full or excluded
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
 * The target with the fewest requests in flight of those that have room, and of several the next in turn.
 * @returns the index, or -1 if all are full or excluded
 */
export function fewestInFlight<T extends Pickable>(
  ready: readonly T[],
  turn: number,
  excluded?: ReadonlySet<T>,
): number {
  let found = -1
  for (let step = 0; step < ready.length; step += 1) {
    const index = (turn + step) % ready.length
    const target = ready[index] as T
    if (isPickable(target, excluded) && target.inFlight < (ready[found]?.inFlight ?? Infinity)) found = index
  }
  return found
}

/**
 * The less busy of two targets drawn at random ("power of two choices"). This is nearly as even as comparing all, and
 * several balancers do not all rush to the same idle target.
 * @param random draws from [0, 1)
 * @returns the index, or -1 if all are full or excluded
 */
export function leastBusy<T extends Pickable>(
  ready: readonly T[],
  random: () => number,
  load: (target: T) => number,
  excluded?: ReadonlySet<T>,
): number {
  const a = random()
  const b = random()
  if (ready.length >= 2) {
    const first = firstDraw(ready.length, a)
    const second = secondDraw(ready.length, first, b)
    if (isPickable(ready[first] as T, excluded) && isPickable(ready[second] as T, excluded)) {
      return lessBusy(ready, first, second, load)
    }
  }
  // All of them are looked at only if one of the two is full or excluded.
  const open = [...ready.keys()].filter(index => isPickable(ready[index] as T, excluded))
  if (open.length < 2) return open[0] ?? -1
  const first = firstDraw(open.length, a)
  return lessBusy(ready, open[first] as number, open[secondDraw(open.length, first, b)] as number, load)
}

function firstDraw(count: number, random: number): number {
  return Math.floor(random * count)
}

/** Any index but the first, all with the same chance. */
function secondDraw(count: number, first: number, random: number): number {
  return (first + 1 + Math.floor(random * (count - 1))) % count
}

function lessBusy<T>(ready: readonly T[], a: number, b: number, load: (target: T) => number): number {
  return load(ready[a] as T) <= load(ready[b] as T) ? a : b
}

function isPickable<T extends Pickable>(target: T, excluded: ReadonlySet<T> | undefined): boolean {
  return !target.full && excluded?.has(target) !== true
}

/** Requests in flight, weighted so that a new target gets a smaller share while it warms up. */
export function weighedLoad(target: Pickable, now: number, slowStartMs: number): number {
  const age = now - target.readySince
  const share = slowStartMs === 0 || age >= slowStartMs ? 1 : Math.max(age / slowStartMs, 0.1)
  return (target.inFlight + 1) / share
}
