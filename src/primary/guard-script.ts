import { fileURLToPath } from 'node:url'

/**
 * Path of a shell script that outlives this process: `dist/guards/NAME.sh`, put there by the build. This file is one
 * folder below dist/, as the chunks of the bundle are, so the path is right in both.
 */
export function guardScript(name: 'server-guard' | 'orphan-guard'): string {
  return fileURLToPath(new URL(`../guards/${name}.sh`, import.meta.url))
}
