import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The command of a kind of process in a release's Procfile; undefined when there is none. */
export function commandIn(folder: string, kind: string): string | undefined {
  let text: string
  try {
    text = readFileSync(join(folder, 'Procfile'), 'utf8')
  } catch {
    return undefined
  }
  for (const line of text.split('\n')) {
    const [, name, command = ''] = /^([A-Za-z0-9_-]+):\s*(.+?)\s*$/.exec(line) ?? []
    if (name === kind) return command
  }
  return undefined
}
