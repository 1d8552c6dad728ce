import { allPids, statOf } from '../../process/process-table.js'

/** The resources that the processes of one group use. */
export interface Usage {
  readonly rssBytes: number
  /** CPU time since the look before, or since the first process was seen; 1 is one core. */
  readonly cpuUse: number
}

/** The values of Linux; see proc(5). Other sizes are unusual. */
const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

interface Look {
  readonly at: number
  readonly ticks: number
}

/** Reads from /proc what groups of processes use. Where there is no /proc, they use nothing. */
export class GroupUsage {
  #before = new Map<number, Look>()

  /** @param groups by the id of their leader @param now in milliseconds of one steady clock */
  of(groups: ReadonlySet<number>, now: number): ReadonlyMap<number, Usage> {
    if (groups.size === 0) return new Map()
    const sums = new Map([...groups].map(group => [group, { pages: 0, ticks: 0 }]))
    for (const stat of statsOfAll()) {
      const sum = sums.get(stat.group)
      if (sum === undefined) continue
      sum.pages += stat.pages
      sum.ticks += stat.ticks
    }
    const looks = new Map([...sums].map(([group, { ticks }]): [number, Look] => [group, { at: now, ticks }]))
    const used = [...sums].map(([group, { pages, ticks }]): [number, Usage] => {
      const { at, ticks: before } = this.#before.get(group) ?? { at: now, ticks }
      const seconds = (now - at) / 1_000
      const cpuUse = seconds > 0 ? Math.max(0, ticks - before) / TICKS_PER_SECOND / seconds : 0
      return [group, { rssBytes: pages * PAGE_BYTES, cpuUse }]
    })
    this.#before = looks
    return new Map(used)
  }
}

function* statsOfAll(): Generator<{ group: number; ticks: number; pages: number }> {
  for (const pid of allPids()) {
    const fields = statOf(pid) ?? []
    const [group, user, system, pages] = [fields[2], fields[11], fields[12], fields[21]].map(Number)
    if (group !== undefined) yield { group, ticks: (user ?? 0) + (system ?? 0), pages: pages ?? 0 }
  }
}
