import { readFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'

/**
 * Why a release has no app, for people.
 * @param folder of the release
 * @param app that the program was started with: a file or a folder
 */
export function missingApp(folder: string, app: string | undefined): string {
  const fault = manifestFault(folder)
  if (fault !== undefined) return `package.json cannot be read: ${fault}`
  const name = app === undefined || extname(app) === '' ? 'index.js, server.js or app.js' : basename(app)
  return `the release has no app: package.json names none by "start" or "main", and there is no ${name}`
}

function manifestFault(folder: string): string | undefined {
  try {
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : (error as Error).message
  }
}
