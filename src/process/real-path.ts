import { realpathSync } from 'node:fs'

/** The path without links in it, or as it is where nothing is there yet. Two names of one folder can be compared by it. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
