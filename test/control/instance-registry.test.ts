import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { registeredInstances, registerInstance } from '#src/control/instance-registry.js'
import { temporaryFolder } from '../helpers/harness.js'

void t.test('an instance is found from its start to its end', t => {
  const [state, a, b] = [temporaryFolder(t), temporaryFolder(t, 'outpost-a-'), temporaryFolder(t, 'outpost-b-')]
  t.strictSame(registeredInstances(state), [])
  const endOfB = registerInstance(state, { dataDir: b, pid: 2 })
  const endOfA = registerInstance(state, { dataDir: a, pid: 1 })
  t.strictSame(registeredInstances(state), [
    { dataDir: a, pid: 1 },
    { dataDir: b, pid: 2 },
  ])
  t.equal(statSync(join(state, 'outpost')).mode & 0o777, 0o700)
  endOfA()
  t.strictSame(registeredInstances(state), [{ dataDir: b, pid: 2 }])
  endOfB()
  t.strictSame(registeredInstances(state), [])
  t.end()
})

void t.test('a new instance on the same folder replaces the entry of one that was killed', t => {
  const [state, dataDir] = [temporaryFolder(t), temporaryFolder(t)]
  registerInstance(state, { dataDir, pid: 1 })
  registerInstance(state, { dataDir, pid: 2 })
  t.strictSame(registeredInstances(state), [{ dataDir, pid: 2 }])
  t.end()
})

void t.test('entries of folders that are gone are removed with the next start', t => {
  const [state, gone, dataDir] = [temporaryFolder(t), temporaryFolder(t), temporaryFolder(t)]
  registerInstance(state, { dataDir: gone, pid: 1 })
  rmSync(gone, { recursive: true })
  registerInstance(state, { dataDir, pid: 2 })
  t.strictSame(registeredInstances(state), [{ dataDir, pid: 2 }])
  t.end()
})

void t.test('files that are not entries are ignored', t => {
  const [state, dataDir] = [temporaryFolder(t), temporaryFolder(t)]
  const end = registerInstance(state, { dataDir, pid: 1 })
  for (const text of ['', '{', '{"dataDir":7}'])
    writeFileSync(join(state, `outpost/instances/${text.length}.json`), text)
  t.strictSame(registeredInstances(state), [{ dataDir, pid: 1 }])
  end()
  t.strictSame(registeredInstances(state), [])
  t.end()
})

void t.test('a state folder that cannot be written stops nothing', t => {
  const state = temporaryFolder(t)
  writeFileSync(join(state, 'outpost'), 'a file')
  registerInstance(state, { dataDir: state, pid: 1 })()
  t.strictSame(registeredInstances(state), [])
  const sealed = join(state, 'sealed')
  mkdirSync(sealed)
  chmodSync(sealed, 0o500)
  registerInstance(sealed, { dataDir: state, pid: 1 })()
  t.end()
})
