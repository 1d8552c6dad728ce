import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { givenText } from './given-text.js'
import { variables } from './variables.js'

type Environment = Record<string, string | undefined>

/** The DATA_DIR that the person has named, absolute; undefined when there is none. */
export function namedDataDir(env: Environment = process.env): string | undefined {
  const named = givenText(env, variables.dataDir.name)
  return named === undefined ? undefined : resolve(named)
}

/** The user that the person wants an instance of root to run as. */
export function namedUser(env: Environment = process.env): string | undefined {
  return givenText(env, variables.runAs.name)
}

/** Where instances are written down. */
export function stateFolder(env: Environment = process.env): string {
  const { name, default: standIn = '' } = variables.stateDir
  return givenText(env, name) ?? standIn
}

/** Sets variables of this process, which is about to become the program. Those of the program begin with `OUTPOST_`. */
export function setEnvironment(values: Readonly<Record<string, string>>, env: Environment = process.env): void {
  Object.assign(env, values)
}

/** The variables of a file like `NAME=value` that are not set yet: values that the person typed take precedence, as in node. */
export function newInFile(text: string, env: Environment = process.env): Record<string, string> {
  const entries = Object.entries(parseEnv(text)).filter(([name]) => env[name] === undefined)
  return Object.fromEntries(entries as Array<[string, string]>)
}

/** Goes to the folder, as `cd` does. */
export function enterFolder(path: string, env: Environment = process.env): void {
  process.chdir(path)
  env['PWD'] = path
}
