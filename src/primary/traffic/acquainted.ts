/**
 * A group of workers, as large as possible, that have all found each other, in their order. One that has just started has
 * found no other yet, and one that fails may have lost all: neither is a reason to leave out those that are well.
 */
export function acquainted<T>(workers: readonly T[], hasFound: (worker: T, other: T) => boolean): T[] {
  const know = (one: T, other: T): boolean => one === other || (hasFound(one, other) && hasFound(other, one))
  const rank = (one: T): number => {
    const known = workers.filter(other => know(one, other)).length
    return known * workers.length + workers.filter(other => hasFound(other, one)).length
  }
  const ranks = new Map(workers.map(one => [one, rank(one)]))
  const chosen = new Set<T>()
  // The largest group is hard to find, but a worker that knows most of the others is in a large one.
  for (const one of workers.toSorted((a, b) => (ranks.get(b) ?? 0) - (ranks.get(a) ?? 0))) {
    if ([...chosen].every(other => know(one, other))) chosen.add(one)
  }
  return workers.filter(worker => chosen.has(worker))
}
