/** A client that holds less than this is never refused while anything is free. Such a client loses nothing that is in use. */
export const LITTLE = 4

/** The part of a resource that is kept for clients that hold nothing of it, if any is. */
const KEPT_PART = 1 / 16

/** How much of a resource is kept for clients that hold nothing of it. */
export function keptOf(capacity: number): number {
  return Math.floor(capacity * KEPT_PART)
}

/**
 * Whether a client that holds `held` of something may take `amount` more. A client may hold at most as much as is left
 * free (the dynamic threshold of Choudhury and Hahne, 1998): alone it gets half, and n that want all leave 1/(n+1).
 * @param free what nobody holds
 * @param kept the part of `free` for clients that hold nothing. Without it, clients that come one after the other leave
 * nothing for the next
 */
export function mayTake(held: number, amount: number, free: number, kept = 0): boolean {
  if (amount > (held === 0 ? free : free - kept)) return false
  return held < LITTLE || held + amount <= free
}

/**
 * The client that gives something up when nothing is left for one that holds `held`: the one that holds most. Without that,
 * clients that come one after the other take all there is, each half of what is left. Undefined if the first holds some
 * already, or nobody has more than a little.
 * @param holders what each client holds
 */
export function giverTo<Client>(held: number, holders: Iterable<readonly [Client, number]>): Client | undefined {
  if (held >= LITTLE) return undefined
  let most = LITTLE
  let giver: Client | undefined
  for (const [client, amount] of holders) {
    if (amount <= most) continue
    most = amount
    giver = client
  }
  return giver
}

/**
 * The amount to take back from clients that hold more than is left free, because others have come since. The largest
 * gives first.
 * @param held what each client holds
 * @returns how much each of those clients is to give back
 */
export function excessOf<Client>(held: ReadonlyMap<Client, number>, capacity: number): Map<Client, number> {
  const largestFirst = [...held].sort(([, a], [, b]) => b - a)
  const free = capacity - largestFirst.reduce((sum, [, amount]) => sum + amount, 0)
  // If k clients end at the level of what is free, free + their sum = (k + 1) * level.
  let level = free
  let sum = 0
  for (const [k, [, amount]] of largestFirst.entries()) {
    if (amount <= level) break
    sum += amount
    level = Math.max(0, (free + sum) / (k + 2))
  }
  const excess = new Map<Client, number>()
  for (const [client, amount] of largestFirst) {
    if (amount <= level) break
    excess.set(client, amount - level)
  }
  return excess
}
