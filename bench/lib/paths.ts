import { fileURLToPath } from 'node:url'

/** The project, seen from where this is compiled to: dist/bench/lib. */
const root = new URL('../../../', import.meta.url)

/** The bench's own sources, packages and results. */
export const benchFolder = new URL('bench/', root)

/** docs/performance.md and its chart. */
export const docsFolder = new URL('docs/', root)

/** The Outpost of this project. */
export const program = fileURLToPath(new URL('dist/main.js', root))

/** A compiled script of the bench, e.g. `servers/serve.js`. */
export function script(name: string): string {
  return fileURLToPath(new URL(name, new URL('dist/bench/', root)))
}
