import fs from 'node:fs'

/** Names the code of a main module: another name when its file was written, or when a link leads to another file. */
export function codeOf(file: string): string {
  const found = fs.statSync(file, { throwIfNoEntry: false })
  return found === undefined ? '' : [found.dev, found.ino, found.size, found.mtimeMs].join()
}
