import t from 'tap'
import type { AppCode } from '#src/primary/processes/app-code.js'
import { KnownEntries } from '#src/primary/processes/known-entries.js'

function codeThat(main: string, startedAt = 0, changedAt = -1): AppCode {
  return { main, startedAt, changedSince: ms => changedAt > ms }
}

const run = { release: 'start', code: codeThat('first') }
const edited = { release: 'start', code: codeThat('second') }
const editedBeside = { release: 'start', code: codeThat('first', 2, 1) }
const other = { release: '1', code: codeThat('first') }

void t.test('only the first worker of a release is waited for in vain', async t => {
  for (const by of ['export', 'other-port'] as const) {
    const entries = new KnownEntries()
    t.equal(entries.of(run), undefined)
    t.equal(entries.note(run, by, true), true)
    t.equal(entries.of(run), by)
    t.equal(entries.note(run, by, true), false, 'it is news once')
  }
})

void t.test('an entry that was decided without a wait is not kept', async t => {
  const entries = new KnownEntries()
  t.equal(entries.note(run, 'export', false), false)
  t.equal(entries.of(run), undefined)
})

void t.test('another release, or other code of the release, is waited for', async t => {
  const entries = new KnownEntries()
  entries.note(run, 'export', true)
  t.equal(entries.of(other), undefined)
  t.equal(entries.of(edited), undefined)
  t.equal(entries.of(editedBeside), undefined)
  t.equal(entries.note(edited, 'export', true), true)
  t.equal(entries.of(edited), 'export')
})

void t.test('after a change of a module beside the main one, the next wait counts for later workers', async t => {
  const entries = new KnownEntries()
  entries.note(run, 'export', true)
  t.equal(entries.note(editedBeside, 'export', true), true, 'it is news again')
  t.equal(entries.of(editedBeside), 'export')
})

void t.test('once a worker has listened on PORT, every worker is waited for', async t => {
  const entries = new KnownEntries()
  entries.note(run, 'export', true)
  t.equal(entries.note(run, 'public-port', false), false)
  t.equal(entries.of(run), undefined)
  t.equal(entries.note(run, 'export', true), false)
  t.equal(entries.of(run), undefined)
  t.equal(entries.note(edited, 'export', true), true, 'until its code changes')
})
