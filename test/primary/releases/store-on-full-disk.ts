import { mkdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ReleaseStore } from '#src/primary/releases/release-store.js'

/** Goes back and forth between two releases on a disk that it has filled, and prints what a start would know after each step. */
const folder = join(process.argv[2]!, 'releases')
const store = ReleaseStore.open(folder)
for (let i = 0; i < 2; i++) {
  const draft = store.draft()
  writeFileSync(join(draft.folder, 'index.js'), 'code')
  store.keep(draft, 'test', {}, { main: 'index.js' })
  store.setLive(draft.id)
}
const next = store.draft()
store.keep(next, 'test', {})
store.setPreviewed(next.id)

const crowd = join(process.argv[2]!, 'crowd')
mkdirSync(crowd)
for (let i = 0; statfsSync(folder).bfree > 0; i++) writeFileSync(join(crowd, `${i}`), Buffer.alloc(4096))
for (let i = 0; statfsSync(folder).ffree > 0; i++) writeFileSync(join(crowd, `empty-${i}`), '')

const steps = ['r1', 'r2', 'start', 'r1'].map(id => {
  store.setLive(id)
  const { live, previous } = ReleaseStore.open(folder)
  return { live, previous, doubt: store.doubt }
})
let refused: unknown
try {
  store.setLive(next.id)
} catch (error) {
  refused = (error as NodeJS.ErrnoException).code
}
process.stdout.write(JSON.stringify({ steps, refused, live: store.live }))
