import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { InstallError } from './installer.js'

/** Yarn without node_modules. */
const PLUG_AND_PLAY = ['.pnp.cjs', '.pnp.js']

const MAX_NAMED = 5

/**
 * Requires that a release does not use packages of the folders above it. DATA_DIR may lie in the folder of the app, where
 * Node would find the packages that the release lacks. They change with that folder, so the release would change as well.
 * @throws {InstallError}
 */
export function requireOwnPackages(folder: string): void {
  if (PLUG_AND_PLAY.some(name => fs.existsSync(join(folder, name)))) return
  const missing = dependenciesOf(folder).filter(name => !isIn(folder, name))
  for (let above = dirname(folder); ; above = dirname(above)) {
    const borrowed = missing.filter(name => isIn(above, name))
    if (borrowed.length > 0) throw new InstallError(refusal(borrowed, join(above, 'node_modules')), [])
    if (above === dirname(above)) return
  }
}

function refusal(names: readonly string[], from: string): string {
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : ''
  return (
    `package.json names packages that the release does not have (${names.slice(0, MAX_NAMED).join(', ')}${more}), and Node ` +
    `would take them from ${from}, which may change: deploy the folder with a lockfile or with its node_modules; packages ` +
    'that are bundled belong in devDependencies'
  )
}

function isIn(folder: string, name: string): boolean {
  return fs.existsSync(join(folder, 'node_modules', name))
}

/** A package.json that cannot be read is no matter of packages. */
function dependenciesOf(folder: string): string[] {
  try {
    const { dependencies = {} } = JSON.parse(fs.readFileSync(join(folder, 'package.json'), 'utf8')) as {
      dependencies?: object
    }
    return Object.keys(dependencies)
  } catch {
    return []
  }
}
