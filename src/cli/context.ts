import type { Command } from 'commander'
import { findInstance, type FoundInstance } from './find-instance.js'
import type { Output } from './output.js'

/** The surroundings of every command. */
export interface Context {
  output: Output
  /** The words behind `--`, which are the app's. */
  appArgs: readonly string[]
  /** The exit code of a command that the app's words are, in place of 0. */
  exitCode?: number
  /** Path of `dist/main.js`. */
  program: string
  /** Path of `dist/cli.js`. */
  command: string
}

/** The options of a command that speaks to an instance. */
export interface InstanceOptions {
  dataDir?: string
  json?: true
}

/** A command that speaks to an instance, with the options of all of them. */
export function instanceCommand(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option('--data-dir <folder>', 'DATA_DIR of the instance')
    .option('--json', 'prints JSON')
}

/** The instance of a command. Names it if the user did not. */
export async function instanceOf({ dataDir, json }: InstanceOptions, { output }: Context): Promise<FoundInstance> {
  const found = await findInstance(dataDir, () => {
    if (json !== true) output.note('an upgrade is under way: the command waits for the version that takes over')
  })
  if (found.isOnlyOne && json !== true) output.note(`the only running instance is used: ${found.dataDir}`)
  return found
}
