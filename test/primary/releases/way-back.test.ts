import t from 'tap'
import { wayBack, type WayBack } from '#src/primary/releases/way-back.js'

const store = (previous?: string) => ({ previous, has: (id: string) => ['start', 'r1', 'r2'].includes(id) })

const live = { current: 'r2', underWay: undefined, preview: undefined }
const trial = { ...live, underWay: { release: 'r3', phase: 'baking', share: 0.2 } as const }
const previewed = { ...live, preview: { release: 'r3', isReady: true } }

const refusal = (ask: () => WayBack): unknown => {
  try {
    return ask()
  } catch (error) {
    return [(error as { code: string }).code, (error as Error).message]
  }
}

void t.test('a rollback goes to the previous release, or to the one that is named', t => {
  t.strictSame(wayBack(undefined, live, false, store('r1')), { to: 'r1', ends: undefined, isServed: false })
  t.strictSame(wayBack('start', live, false, store('r1')), { to: 'start', ends: undefined, isServed: false })
  const none = refusal(() => wayBack(undefined, live, false, store()))
  t.strictSame(none, ['UNKNOWN_RELEASE', 'There is no release before this one.'])
  t.strictSame(
    refusal(() => wayBack('r9', live, false, store('r1'))),
    ['UNKNOWN_RELEASE', 'There is no release r9 to run.'],
  )
  t.strictSame(
    refusal(() => wayBack('r2', live, false, store('r1'))),
    ['ALREADY_LIVE', 'Release r2 is live already. Nothing has changed.'],
  )
  t.end()
})

void t.test('a rollback during a trial ends the trial, and the release of the other clients stays', t => {
  const ended = { to: 'r2', ends: 'change', isServed: true }
  t.strictSame(wayBack(undefined, trial, true, store('r1')), ended)
  t.strictSame(wayBack('r2', trial, true, store('r1')), ended)
  t.strictSame(wayBack(undefined, trial, true, store()), ended, 'there need be none before')
  t.strictSame(wayBack('r1', trial, true, store('r1')), { to: 'r1', ends: 'change', isServed: false })
  t.match(
    refusal(() => wayBack('r3', trial, true, store('r1'))),
    ['DEPLOY_UNDER_WAY'],
  )
  t.match(
    refusal(() => wayBack('r9', trial, true, store('r1'))),
    ['UNKNOWN_RELEASE'],
  )
  t.end()
})

void t.test('a rollback while a release is being taken back goes no further back than that', t => {
  t.strictSame(wayBack(undefined, live, true, store('r1')), { to: 'r2', ends: 'change', isServed: true })
  t.end()
})

void t.test('a rollback to the live release ends a preview', t => {
  t.strictSame(wayBack('r2', previewed, false, store('r1')), { to: 'r2', ends: 'preview', isServed: true })
  t.strictSame(wayBack(undefined, previewed, false, store('r1')), { to: 'r1', ends: undefined, isServed: false })
  t.end()
})
