import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { temporaryFolder } from '../helpers/harness.js'

const modulePath = new URL('../../../dist/process/compile-cache.js', import.meta.url).href
const isOld = process.versions.node.startsWith('20.')

/** Runs a program that keeps its compiled code, and tells what it printed. */
function run(program: string): string {
  return execFileSync(process.execPath, [program], { encoding: 'utf8', env: {} })
}

function programIn(folder: string): string {
  const program = join(folder, 'program.mjs')
  const url = JSON.stringify(pathToFileURL(program).href)
  const lines = [`import { keepCompiledCode } from '${modulePath}'`, `keepCompiledCode(${url})`, `console.log('runs')`]
  writeFileSync(program, lines.join('\n'))
  return program
}

void t.test('compiled code is kept beside the program', { skip: isOld && 'this Node keeps none' }, async t => {
  const folder = temporaryFolder(t)
  t.equal(run(programIn(folder)), 'runs\n')
  t.ok(existsSync(join(folder, '.compile-cache')))
})

void t.test('a program runs where nothing can be kept', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, '.compile-cache'), 'no folder')
  t.equal(run(programIn(folder)), 'runs\n')
})
