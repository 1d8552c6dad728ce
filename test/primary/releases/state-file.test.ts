import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { StateFile } from '#src/primary/releases/state-file.js'
import { overwriteSynced } from '#src/process/synced-file.js'
import { temporaryFolder } from '../../helpers/harness.js'

const PROGRAM = fileURLToPath(new URL('store-on-full-disk.js', import.meta.url))
/** A file system that only this process and its children see, and that ends with them. */
const ON_SMALL_DISK = 'mount -t tmpfs -o size=1m,nr_inodes=400 tmpfs "$0" && exec "$@"'
const onSmallDisk = (folder: string, command: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync('unshare', ['--mount', '--map-root-user', 'sh', '-c', ON_SMALL_DISK, folder, ...command])
const skip =
  onSmallDisk('/tmp', ['true']).status === 0 ? false : 'this machine does not let us mount a small file system'

void t.test('on a full disk a release is recorded as live if it was live before, and not if it is new', { skip }, t => {
  const folder = temporaryFolder(t)
  const { stdout, stderr } = onSmallDisk(folder, [process.execPath, PROGRAM, folder])
  t.equal(String(stderr), '')
  t.strictSame(JSON.parse(String(stdout)), {
    steps: [
      { live: 'r1', previous: 'r2' },
      { live: 'r2', previous: 'r1' },
      { live: 'start', previous: 'r2' },
      { live: 'r1', previous: 'start' },
    ],
    refused: 'ENOSPC',
    live: 'r1',
  })
  t.end()
})

void t.test('a state that the disk does not take holds, and the next one that is written has it', t => {
  const folder = temporaryFolder(t)
  const file = new StateFile(folder)
  file.write({ live: 'r1', last: 1 })
  file.write({ live: 'r2', last: 2, previous: 'r1' })
  const obstacle = join(folder, 'state.before.json.new')
  mkdirSync(obstacle)
  t.throws(() => file.write({ live: 'r3', last: 3 }))
  t.strictSame([file.state.live, file.doubt], ['r2', undefined], 'nothing has changed')
  file.hold({ live: 'r1', last: 2, previous: 'r2' })
  t.equal(file.state.live, 'r1')
  t.match(file.doubt, /state\.before\.json\.new/)
  const onDisk = (): string => {
    const again = new StateFile(folder)
    t.equal(again.read(0), undefined)
    return again.state.live
  }
  t.equal(onDisk(), 'r2')
  rmdirSync(obstacle)
  file.write({ ...file.state, last: 3 })
  t.strictSame([onDisk(), file.doubt], ['r1', undefined])
  t.end()
})

void t.test('a text is written over a longer one in the same file', t => {
  const path = join(temporaryFolder(t), 'file')
  writeFileSync(path, '{"a":"long"}\n')
  overwriteSynced(path, '{}')
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')), {})
  t.equal(readFileSync(path).length, 13)
  t.throws(() => overwriteSynced(`${path}.gone`, ''), { code: 'ENOENT' })
  t.strictSame(readdirSync(join(path, '..')), ['file'])
  t.end()
})
