import { performance } from 'node:perf_hooks'
import type { RequestCounts, Vitals } from './vitals.js'

/** The measurements of a process about itself, from one heartbeat to the next. */
export class SelfMeasurement {
  /** The delay of the event loop at the last measurement, in milliseconds. */
  loopDelayMs = 0
  #at = performance.now()
  #cpu = process.cpuUsage()
  #loop = performance.eventLoopUtilization()
  #requests = 0
  #rssBytes = 0

  /** @param intervalMs after which the event loop was to take this measurement */
  constructor(private readonly intervalMs: number) {}

  /** @param counts of the process; the rates are those since the last measurement */
  take(counts: RequestCounts): Omit<Vitals, 'leases'> {
    const now = performance.now()
    const elapsedMs = Math.max(1, now - this.#at)
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#rssBytes = rssBytes() ?? this.#rssBytes
    const vitals = {
      loopDelayMs: Math.max(0, elapsedMs - this.intervalMs),
      loopUse: performance.eventLoopUtilization(this.#loop).utilization,
      cpuUse: (user + system) / 1_000 / elapsedMs,
      rssBytes: this.#rssBytes,
      ...counts,
      requestsPerSecond: ((counts.requests - this.#requests) / elapsedMs) * 1_000,
    }
    this.#at = now
    this.#cpu = process.cpuUsage()
    this.#loop = performance.eventLoopUtilization()
    this.#requests = counts.requests
    this.loopDelayMs = vitals.loopDelayMs
    return vitals
  }
}

/** Undefined while no file can be opened: the system tells it by a file. */
function rssBytes(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}
