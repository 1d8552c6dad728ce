import t from 'tap'
import { ReleaseSwitch } from '#src/primary/releases/release-switch.js'

/** Beside START_TIMEOUT_MS, a worker has a second to be proven and five to be found healthy. */
const START_MS = 26_000
const AWAKE = 90_000

const given = (): ReleaseSwitch => new ReleaseSwitch('r1', { provenMs: 1_000, startTimeoutMs: 20_000 })

void t.test('a sleep of the primary does not take a release back that was being started', t => {
  const told: string[] = []
  const watcher = {
    baking: () => undefined,
    filling: () => undefined,
    live: () => undefined,
    takenBack: ({ reason }: { reason: string }) => void told.push(reason),
  }
  const releases = given()
  releases.begin({ to: 'r2', stages: [], keepWarmMs: 0, watcher }, 0)
  releases.releases([], 1, AWAKE, AWAKE)
  t.match(releases.underWay, { release: 'r2', phase: 'filling' })
  t.equal(releases.due, AWAKE + START_MS)
  releases.releases([], 1, AWAKE + START_MS - 1, AWAKE)
  t.strictSame(told, [])
  releases.releases([], 1, AWAKE + START_MS, AWAKE)
  t.strictSame(told, ['a worker was not found healthy within 26 s'])
  t.end()
})

void t.test('a sleep of the primary does not end a preview that was being started', t => {
  const told: string[] = []
  const watcher = {
    ready: () => undefined,
    failed: ({ reason }: { reason: string }) => void told.push(reason),
    ended: () => undefined,
  }
  const releases = given()
  releases.beginPreview({ release: 'r2', watcher }, 0)
  releases.releases([], 1, AWAKE, AWAKE)
  t.equal(releases.preview?.release, 'r2')
  t.equal(releases.due, AWAKE + START_MS)
  releases.releases([], 1, AWAKE + START_MS, AWAKE)
  t.strictSame([releases.preview, told], [undefined, ['its worker was not found healthy in time']])
  t.end()
})
