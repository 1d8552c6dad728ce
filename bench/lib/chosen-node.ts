import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The Node that most people run. Figures are of this one unless another is named. */
const USUAL = 24

const prerequisites = fileURLToPath(new URL('../../../scripts/prerequisites.sh', import.meta.url))

/**
 * The Node that runs the peers.
 * @param wanted a path, or a major version, which is fetched into a cache when it is not there; undefined for the usual one
 * @throws {Error} there is none, and it could not be fetched
 */
export function chosenNode(wanted: string | undefined): string {
  if (wanted !== undefined && !/^\d+$/.test(wanted)) return fs.realpathSync(wanted)
  const major = Number(wanted ?? USUAL)
  if (majorOf(process.versions.node) === major) return process.execPath
  const script = `root=/; . "$0"; cached_node ${major}`
  const { status, stdout } = spawnSync('bash', ['-c', script, prerequisites], { encoding: 'utf8', timeout: 180_000 })
  if (status === 0 && stdout.trim() !== '') return `${stdout.trim()}/node`
  if (wanted !== undefined) throw new Error(`Node.js ${wanted} is not here and could not be fetched`)
  process.stdout.write(
    `left out: Node.js ${USUAL}, which could not be fetched; the figures are of ${process.version}\n`,
  )
  return process.execPath
}

const majorOf = (version: string): number => Number(version.split('.')[0])
