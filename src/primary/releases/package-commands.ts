import fs from 'node:fs'
import type { Lockfile, lockfiles } from '../../config/lockfiles.js'

/** A command of an installation. */
export interface Step {
  readonly command: string
  /** Variables of this command alone. */
  readonly env?: Readonly<Record<string, string>>
  /** Why the installation may not go on after what the command has printed; undefined if it may. */
  readonly faultIn?: (lines: readonly string[]) => string | undefined
}

/** The commands of one package manager. */
interface Commands {
  /** The packages that the app runs with. */
  readonly install: readonly Step[]
  /** Those for its development as well. */
  readonly installAll: readonly Step[]
  readonly build: Step
  /** Removes the packages for development again. */
  readonly prune: readonly Step[]
}

/** By the name of its command. */
type PackageManager = (typeof lockfiles)[Lockfile]

const step = (command: string): Step => ({ command })
const QUIET = '--no-audit --no-fund'

const npm: Commands = {
  install: [step(`npm ci --omit=dev ${QUIET}`)],
  installAll: [step(`npm ci --include=dev ${QUIET}`)],
  build: step('npm run build'),
  prune: [step(`npm prune --omit=dev ${QUIET}`)],
}

const pnpm: Commands = {
  install: [step('pnpm install --frozen-lockfile --prod')],
  // Without it pnpm leaves them out if NODE_ENV is production.
  installAll: [step('pnpm install --frozen-lockfile --prod=false')],
  build: step('pnpm run build'),
  // For workspaces as well, which `pnpm prune` does not support.
  prune: [step('pnpm install --frozen-lockfile --prod --offline --ignore-scripts --config.confirmModulesPurge=false')],
}

const YARN_1 = 'yarn install --frozen-lockfile --non-interactive'

const yarn1: Commands = {
  install: [step(`${YARN_1} --production`)],
  installAll: [step(`${YARN_1} --production=false`)],
  build: step('yarn run build'),
  prune: [step(`${YARN_1} --production --ignore-scripts --prefer-offline`)],
}

/** Lockfiles of yarn 4 and later have at least this version. Without a plugin, yarn 2 and 3 remove no packages. */
const YARN_4_LOCK = 8

function laterYarn(lockVersion: number): Commands {
  // An app runs under plain node, which finds packages in node_modules alone. The lockfile is the same for both.
  const env = { YARN_NODE_LINKER: 'node-modules' }
  const installAll: Step[] = [
    {
      command: 'yarn --version',
      env,
      // It would ignore the lockfile, and install what is newest.
      faultIn: ([version = '']) =>
        version.startsWith('1.') ? `yarn.lock is of a later yarn than the one in PATH, ${version}` : undefined,
    },
    { command: 'yarn install --immutable', env },
  ]
  const prune = lockVersion < YARN_4_LOCK ? [] : [{ command: 'yarn workspaces focus --all --production', env }]
  return { install: [...installAll, ...prune], installAll, build: { command: 'yarn run build', env }, prune }
}

const BUN = 'bun install --frozen-lockfile'

const bun: Commands = {
  install: [step(`${BUN} --production`)],
  installAll: [step(BUN)],
  build: step('bun run build'),
  // It leaves packages that are not wanted where they are.
  prune: [step(`rm -rf node_modules && ${BUN} --production`)],
}

const commandsOf: Record<PackageManager, (lockfile: string) => Commands> = {
  npm: () => npm,
  yarn: text => {
    const [, version] = /^__metadata:\s+version: (\d+)/m.exec(text) ?? []
    return version === undefined ? yarn1 : laterYarn(Number(version))
  },
  pnpm: () => pnpm,
  bun: () => bun,
}

/** Installs the packages that a lockfile of this folder names, and builds it if it says how. */
export function stepsOf(manager: PackageManager, lockfile: string, hasBuild: boolean): Step[] {
  const { install, installAll, build, prune } = commandsOf[manager](fs.readFileSync(lockfile, 'utf8'))
  return hasBuild ? [...installAll, build, ...prune] : [...install]
}
