/** What proc(5) knows of a family of processes: the measure that other people's work on the machine disturbs least. */
import fs from 'node:fs'

const TICKS_PER_SECOND = 100 // USER_HZ, the same on every Linux

/** The processes of a family, by the ids of its elders. */
export function familyOf(elders) {
  const parents = new Map(pids().map(pid => [pid, statOf(pid)?.parent]))
  const family = [...elders]
  for (const elder of family) {
    for (const [pid, parent] of parents) if (parent === elder && !family.includes(pid)) family.push(pid)
  }
  return family
}

/** Processor time a family has used so far, in microseconds. Children that have ended count with their parents. */
export function cpuMicros(family) {
  let ticks = 0
  for (const pid of family) ticks += statOf(pid)?.ticks ?? 0
  return (ticks / TICKS_PER_SECOND) * 1e6
}

/** Resident memory of a family, in bytes; pages that are shared count once for each. */
export function residentBytes(family) {
  return family.reduce((sum, pid) => sum + (statOf(pid)?.residentPages ?? 0) * 4096, 0)
}

function pids() {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function statOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold any character, these included.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [user, system, childUser, childSystem] = fields.slice(11, 15).map(Number)
    return {
      parent: Number(fields[1]),
      ticks: user + system + childUser + childSystem,
      residentPages: Number(fields[21]),
    }
  } catch {
    return undefined
  }
}
