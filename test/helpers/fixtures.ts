import { fileURLToPath } from 'node:url'

/** Path of a compiled module of test/fixtures, for APP. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}
