import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A line of a Procfile. */
export interface ProcfileLine {
  /** The kind of process. */
  readonly name: string
  readonly command: string
}

/** The lines `NAME: COMMAND` of the Procfile in a folder, in their order; none without the file. */
export function procfileOf(folder: string): ProcfileLine[] {
  let text: string
  try {
    text = readFileSync(join(folder, 'Procfile'), 'utf8')
  } catch {
    return []
  }
  return text.split('\n').flatMap(line => {
    const [, name, command] = /^([A-Za-z0-9_-]+):\s*(\S.*?)\s*$/.exec(line) ?? []
    return name === undefined || command === undefined ? [] : [{ name, command }]
  })
}

/** The command of a kind of process in a release's Procfile; undefined when there is none. */
export function commandIn(folder: string, kind: string): string | undefined {
  return procfileOf(folder).find(({ name }) => name === kind)?.command
}
