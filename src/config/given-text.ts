type Environment = Readonly<Record<string, string | undefined>>

/** A name with this prefix is Outpost's alone, and counts before the bare name. */
export const PREFIX = 'OUTPOST_'

/** The value of a variable as the person set it. An empty one counts as unset. */
export function givenText(env: Environment, name: string): string | undefined {
  return [env[PREFIX + name], env[name]].find(isGiven)
}

/** Whether the person set a variable by the name that is Outpost's alone. */
export function isPrefixed(env: Environment, name: string): boolean {
  return isGiven(env[PREFIX + name])
}

function isGiven(text: string | undefined): boolean {
  return text !== undefined && text !== ''
}
