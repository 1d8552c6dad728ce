import fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/** The text of a file; undefined if there is none. */
export type Read = (path: string) => string | undefined

/** In bytes. */
export interface Memory {
  /** The memory that processes may still take. */
  freeBytes: number
  /** All that there is for them. */
  totalBytes: number
}

const ROOT = '/sys/fs/cgroup'
/** Version 1 writes "no limit" as a number of this size. */
const NO_LIMIT = 2 ** 60

/**
 * How many cores this process may use: those of the machine, or as many as the CPU quota of its control group gives,
 * rounded down as Node does. Node before 22 does not know the quota.
 */
export function coresAllowed(read: Read = readFile, cores = availableParallelism()): number {
  const quotas = foldersOf('cpu', read).map(folder => {
    const [quota, period] = read(join(folder, 'cpu.max'))?.split(' ') ?? [
      read(join(folder, 'cpu.cfs_quota_us')),
      read(join(folder, 'cpu.cfs_period_us')),
    ]
    const share = Number(quota) / Number(period)
    return share > 0 ? share : Infinity
  })
  return Math.max(1, Math.min(cores, ...quotas.map(Math.floor)))
}

/** The memory of the machine, or of the control group that has the least left; infinite where it is unknown. */
export function memoryAllowed(read: Read = readFile): Memory {
  const facts = read('/proc/meminfo') ?? ''
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(facts)?.[1] ?? Infinity)
  const machine = { freeBytes: kibibytes('MemAvailable') * 1_024, totalBytes: kibibytes('MemTotal') * 1_024 }
  const groups = foldersOf('memory', read).flatMap(folder => memoryOf(folder, read) ?? [])
  return [machine, ...groups].reduce((least, memory) => (memory.freeBytes < least.freeBytes ? memory : least))
}

function memoryOf(folder: string, read: Read): Memory | undefined {
  const numberIn = (...names: string[]): number => {
    const text = names.map(name => read(join(folder, name))).find(found => found !== undefined)
    return text === undefined ? NaN : Number(text)
  }
  const totalBytes = numberIn('memory.max', 'memory.limit_in_bytes')
  const used = numberIn('memory.current', 'memory.usage_in_bytes')
  if (!(totalBytes < NO_LIMIT) || Number.isNaN(used)) return undefined
  // The kernel gives up cached files before it refuses memory.
  const cached = /^(?:total_)?inactive_file (\d+)/m.exec(read(join(folder, 'memory.stat')) ?? '')?.[1] ?? 0
  return { freeBytes: Math.max(0, totalBytes - used + Number(cached)), totalBytes }
}

/** The folders of this process's group and of all above it: each of them may have a limit. */
function foldersOf(controller: string, read: Read): string[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n').map(line => /^\d+:([^:]*):(\/.*)$/.exec(line))
  return lines.flatMap(found => {
    const [, controllers = '', path = '/'] = found ?? []
    if (found === null || (controllers !== '' && !controllers.split(',').includes(controller))) return []
    return upwards(path).map(folder => join(ROOT, controllers === '' ? '' : controller, folder))
  })
}

function upwards(path: string): string[] {
  return path === dirname(path) ? [path] : [path, ...upwards(dirname(path))]
}

function readFile(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
