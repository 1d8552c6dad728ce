import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { program } from './cluster.js'
import { temporaryFolder, type Harness } from './harness.js'

/** The copies by their version. All tests of a file share them, and so the compiled code that Node keeps beside them. */
const copies = new Map<string, string>()

/** A copy of the program that says it is of this version. @returns the path of its main.js */
export function otherVersion(version: string): string {
  const copy = copies.get(version)
  if (copy !== undefined) return copy
  const folder = mkdtempSync(join(tmpdir(), 'outpost-version-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const main = copyInto(folder, version)
  copies.set(version, main)
  return main
}

function copyInto(folder: string, version: string): string {
  const root = dirname(dirname(program))
  mkdirSync(join(folder, 'dist'))
  for (const part of ['main.js', 'preload.cjs', 'chunks', 'guards', 'worker']) {
    cpSync(join(root, 'dist', part), join(folder, 'dist', part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const facts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...facts, version }))
  return join(folder, 'dist', 'main.js')
}

/** The same, without the code of its workers: it stands by, but serves nothing. */
export function uselessVersion(t: Harness): string {
  const main = copyInto(temporaryFolder(t, 'outpost-version-'), '0.0.9')
  rmSync(join(dirname(main), 'worker'), { recursive: true })
  return main
}

/** A program that stands by as the other version would, and then does as its code says. @returns its path */
export function strangeVersion(t: Harness, onGo: string): string {
  const folder = temporaryFolder(t, 'outpost-version-')
  writeFileSync(join(folder, 'package.json'), '{"name":"outpost"}')
  const path = join(folder, 'main.mjs')
  writeFileSync(
    path,
    `process.on('message', ({ type }, handle) => {
      if (type === 'take') process.send({ type: 'standing-by', version: '0.0.9' }, handle)
      if (type === 'go') { ${onGo} }
    })
    process.on('disconnect', () => process.exit(0))`,
  )
  return path
}
