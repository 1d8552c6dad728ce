import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { programPath } from '#src/config/program-path.js'
import { temporaryFolder } from '../helpers/harness.js'

void t.test('a command is the first file of its name in PATH that may be executed', async t => {
  const folder = temporaryFolder(t)
  const at = (name: string): string => join(folder, name)
  for (const name of ['none', 'text', 'folder', 'first', 'second']) mkdirSync(at(name))
  writeFileSync(at('text/tool'), '', { mode: 0o644 })
  mkdirSync(at('folder/tool'))
  writeFileSync(at('second/tool'), '')
  chmodSync(at('second/tool'), 0o755)
  symlinkSync(at('second/tool'), at('first/tool'))
  const PATH = ['none', 'text', 'folder', 'first', 'second'].map(at).join(':')
  t.equal(programPath('tool', { PATH }), at('first/tool'))
  t.equal(programPath('other', { PATH }), undefined)
})

void t.test('without PATH a command is looked for where a shell does', async t => {
  t.match(programPath('sh', {}), /\/bin\/sh$/)
})
