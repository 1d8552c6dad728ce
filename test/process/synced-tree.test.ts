import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { syncTree } from '#src/process/synced-tree.js'
import { folderOf } from '../helpers/releases.js'

const files = { 'a.js': 'a', 'below/b.js': 'b' }

void t.test('a folder is on the disk', async t => {
  t.equal(await syncTree(folderOf(t, files), { withinMs: 60_000 }), undefined)
})

void t.test('the command gets the folder, and where there is none that does it, each file is synced', async t => {
  const folder = folderOf(t, files)
  const seen = join(folder, 'seen')
  const command = ['sh', '-c', `echo "$0" > ${seen}; exit 1`] as const
  t.equal(await syncTree(folder, { withinMs: 60_000, command }), undefined)
  t.equal(await syncTree(folder, { withinMs: 60_000, command: ['/nowhere/sync'] }), undefined)
  writeFileSync(seen, '')
  t.match(await syncTree(join(folder, 'none'), { withinMs: 60_000, command }), /ENOENT/, 'a failure is reported')
})

void t.test('a disk that does not answer is not waited for', async t => {
  const command = ['sh', '-c', 'sleep 1'] as const
  const doubt = await syncTree(folderOf(t, files), { withinMs: 10, command })
  t.equal(doubt, 'the disk has not taken it within 0.01 s')
})
