import { createRequire } from 'node:module'

/** The version of this program, as its package.json says. */
export const programVersion = versionOf()

function versionOf(): string {
  const require = createRequire(import.meta.url)
  // From dist/process/, and from the bundle in dist/ or dist/chunks/.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = require(path) as { name?: string; version?: string }
      if (name === 'outpost' && version !== undefined) return version
    } catch {
      // The other path is the right one.
    }
  }
  return 'unknown'
}
