import v8 from 'node:v8'
import vm from 'node:vm'

type Collect = (options: { type: 'minor' }) => void

let collect: Collect | undefined

/** Bytes that may pass between two collections. */
const EVERY_BYTES = 8 * 1024 ** 2

let passed = 0

/**
 * Counts the buffers that a stream passes on, and collects them now and then. By itself V8 lets 32 MiB of such short-lived
 * buffers pile up, which would be most of the memory of a process that streams. A collection of young objects takes about
 * a millisecond.
 */
export function buffersPassed(bytes: number): void {
  passed += bytes
  if (passed < EVERY_BYTES) return
  passed = 0
  collectYoung()
}

/** Collects objects that have not lived long. */
export function collectYoung(): void {
  collect ??= exposeCollector()
  collect({ type: 'minor' })
}

/** `gc` exists only in contexts made under the flag; the program's own context has none. */
function exposeCollector(): Collect {
  v8.setFlagsFromString('--expose-gc')
  const exposed = vm.runInNewContext('gc') as Collect
  v8.setFlagsFromString('--no-expose-gc')
  return exposed
}
