import { fileURLToPath } from 'node:url'

/** One that outlives this process. */
export type GuardScript = 'server-guard' | 'process-guard' | 'orphan-guard'

/**
 * Path of a shell script that outlives this process: `dist/guards/NAME.sh`, put there by the build. This file is one
 * folder below dist/, as the chunks of the bundle are, so the path is right in both.
 */
export function guardScript(name: GuardScript): string {
  return fileURLToPath(new URL(`../guards/${name}.sh`, import.meta.url))
}
