import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Why this file cannot take over, as far as that is known before it runs; undefined if it may. */
export function programFault(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return `${path} is not a file: name the dist/main.js of that version`
    accessSync(path, constants.R_OK)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return MISSING.has(code) ? `${path} does not exist` : `${path} cannot be read: ${code}`
  }
  return isOfOutpost(path) ? undefined : `${path} is not a program of Outpost: name the dist/main.js of that version`
}

const MISSING = new Set(['ENOENT', 'ENOTDIR'])

/** Another program would do what it does before it is known that it does not stand by. */
function isOfOutpost(path: string): boolean {
  const folder = dirname(realpathSync(path))
  return [folder, dirname(folder)].some(each => {
    try {
      const { name } = JSON.parse(readFileSync(join(each, 'package.json'), 'utf8')) as { name?: unknown }
      return name === 'outpost'
    } catch {
      return false
    }
  })
}
