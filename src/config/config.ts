import { isIP } from 'node:net'
import { givenText, isPrefixed } from './given-text.js'
import {
  allVariables,
  isVariable,
  variables,
  type AnyVariable,
  type Role,
  type Variable,
  type Variables,
} from './variables.js'

/** One invalid variable. */
export interface ConfigFault {
  name: string
  /** The value as given; for a secret, only its length. */
  value: string
  accepted: string
}

/** Every fault of the environment in one message. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly ConfigFault[]) {
    const lines = faults.map(({ name, value, accepted }) => `  ${name}=${value}: must be ${accepted}`)
    super(`the environment is invalid:\n${lines.join('\n')}`)
    this.name = 'ConfigError'
  }
}

type ValuesOf<Table> = {
  readonly [Field in keyof Table]: Table[Field] extends Variable<infer Value, Role> ? Value : ValuesOf<Table[Field]>
}

/** The value of every variable; groups like `s3` are nested. Frozen. */
export type Config = ValuesOf<Variables>

/** The rows of a role. */
type SeenBy<Seer extends Role, Table> = {
  readonly [
    Field in keyof Table as true extends IsSeenBy<Seer, Table[Field]> ? Field : never
  ]: Table[Field] extends Variable<unknown, Role> ? Table[Field] : SeenBy<Seer, Table[Field]>
}

/** For a group: whether the role sees any of its rows. */
type IsSeenBy<Seer extends Role, Row> =
  Row extends Variable<unknown, infer Seers> ? (Seer extends Seers ? true : false) : IsSeenBy<Seer, Row[keyof Row]>

/** The part of `Config` that one role needs. */
export type ConfigFor<Seer extends Role> = ValuesOf<SeenBy<Seer, Variables>>

type Environment = Readonly<Record<string, string | undefined>>

const MIN_SECRET_IN_PRODUCTION = 32

/**
 * Reads the environment once. An empty variable counts as unset.
 * @param leftToApp told of a value that cannot be used, under a name that apps use as well: with an app it is taken for
 *   the app's, and the default is used
 * @throws {ConfigError} with all other faults
 */
export function readConfig(
  env: Environment = process.env,
  leftToApp: (fault: ConfigFault) => void = () => undefined,
): Config {
  const given: Record<string, string | undefined> = {}
  for (const { name } of allVariables()) given[name] = givenText(env, name)
  const faults: ConfigFault[] = []
  const values = new Map<string, unknown>()
  const read = ({ name, parser, default: standIn, builtIn, masked }: AnyVariable): void => {
    const text = given[name] ?? standIn ?? (given['APP'] === undefined ? builtIn : undefined)
    if (text === undefined) return
    const value = parser.parse(text)
    values.set(name, value)
    if (value !== undefined) return
    const shown = given[name] ?? ''
    faults.push({ name, value: masked?.(shown) ?? shown, accepted: parser.accepted })
  }
  const rows = allVariables()
  for (const row of rows) read(row)
  faults.push(...weakSecret(given), ...missingS3Keys(given), ...missingServers(given))

  const isForApp = ({ name }: ConfigFault): boolean => {
    const row = rows.find(row => row.name === name)
    return given['APP'] !== undefined && !isPrefixed(env, name) && row?.appsUse === true
  }
  for (const fault of faults.splice(0)) {
    if (!isForApp(fault)) faults.push(fault)
    else {
      leftToApp(fault)
      // Keys that are missing are those of an endpoint that is the app's.
      const name = fault.value === '' && fault.name.startsWith('S3_') ? 'S3_ENDPOINT' : fault.name
      Reflect.deleteProperty(given, name)
      values.delete(name)
      for (const row of rows) if (row.name === name) read(row)
    }
  }
  if (faults.length > 0) throw new ConfigError(faults)
  return fill(variables, ({ name }) => values.get(name)) as Config
}

/** Whether HOST may be the app's own: a public name that is not an address of this machine. */
export function isHostOfApp({ app, host }: Config, env: Environment = process.env): boolean {
  return app !== undefined && host !== undefined && !isPrefixed(env, variables.host.name) && isIP(host) === 0
}

/** The part that a process of this role needs. No process gets a secret that it does not use. Frozen. */
export function configFor<Seer extends Role>(role: Seer, config: Config): ConfigFor<Seer> {
  return part(role, variables, config) as ConfigFor<Seer>
}

/** A value for each row, in groups as the table has them. */
function fill(table: object, valueOf: (row: AnyVariable) => unknown): unknown {
  const filled = Object.entries(table).map(([field, row]: [string, object]): [string, unknown] => {
    return [field, isVariable(row) ? valueOf(row) : fill(row, valueOf)]
  })
  return Object.freeze(Object.fromEntries(filled))
}

function part(role: Role, table: object, values: object): unknown {
  const seen = Object.entries(table).filter(([, row]: [string, object]) => {
    return allVariables({ row }).some(({ seenBy }) => seenBy.includes(role))
  })
  const kept = seen.map(([field, row]: [string, object]): [string, unknown] => {
    const value = (values as Record<string, object>)[field]
    return [field, isVariable(row) || value === undefined ? value : part(role, row, value)]
  })
  return Object.freeze(Object.fromEntries(kept))
}

function weakSecret({ NODE_ENV, SESSION_SECRET }: Environment): ConfigFault[] {
  if (NODE_ENV !== 'production' || SESSION_SECRET === undefined) return []
  if (SESSION_SECRET.length >= MIN_SECRET_IN_PRODUCTION) return []
  const accepted = `at least ${MIN_SECRET_IN_PRODUCTION} characters in production, or unset`
  return [{ name: 'SESSION_SECRET', value: `(${SESSION_SECRET.length} characters)`, accepted }]
}

/** The built-in app needs both servers. */
function missingServers({ APP, EMBED = 'auto', REDIS_URL, S3_ENDPOINT }: Environment): ConfigFault[] {
  const lacksRedis = REDIS_URL === undefined && (EMBED === 'none' || EMBED === 'storage')
  const lacksStorage = S3_ENDPOINT === undefined && (EMBED === 'none' || EMBED === 'redis')
  if (APP !== undefined || (!lacksRedis && !lacksStorage)) return []
  const others = [...(lacksRedis ? ['REDIS_URL'] : []), ...(lacksStorage ? ['S3_ENDPOINT'] : [])]
  return [{ name: 'EMBED', value: EMBED, accepted: `auto or all for the built-in app without ${others.join(' and ')}` }]
}

/** Every server but the embedded store needs keys from the environment. */
function missingS3Keys(env: Environment): ConfigFault[] {
  if (env['S3_ENDPOINT'] === undefined) return []
  const missing = ['S3_ACCESS_KEY', 'S3_SECRET_KEY'].filter(name => env[name] === undefined)
  return missing.map(name => ({ name, value: '', accepted: 'set when S3_ENDPOINT is set' }))
}
