import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The lockfiles that name the packages of an app, and the package manager of each. The first one found counts. */
export const lockfiles = {
  'package-lock.json': 'npm',
  'npm-shrinkwrap.json': 'npm',
  'yarn.lock': 'yarn',
  'pnpm-lock.yaml': 'pnpm',
  'bun.lock': 'bun',
  'bun.lockb': 'bun',
} as const

export type Lockfile = keyof typeof lockfiles

/** The lockfile of a folder, if it has one. */
export function lockfileOf(folder: string): Lockfile | undefined {
  return (Object.keys(lockfiles) as Lockfile[]).find(name => existsSync(join(folder, name)))
}
