import t from 'tap'
import { noteOf, noteState, readNotes, SLOT_BYTES } from '#src/ipc/request-notes.js'

void t.test('a note has the size of its slot, whatever the target', t => {
  for (const target of ['/', '/a?secret=1', `/${'b'.repeat(1_000)}`]) t.equal(noteOf('GET', target).length, SLOT_BYTES)
  t.notMatch(noteOf('GET', '/a?secret=1'), 'secret')
  t.end()
})

void t.test('requests are read whose answers are not complete', t => {
  const marked = (state: string, note: string): string => state + note.slice(1)
  const notes = [
    noteOf('GET', '/called'),
    marked(noteState.over, noteOf('GET', '/over')),
    marked(noteState.open, noteOf('POST', '/open?a=b')),
  ]
  t.strictSame(readNotes(notes.join('')), [
    { method: 'GET', path: '/called', isCalled: true },
    { method: 'POST', path: '/open', isCalled: false },
  ])
  t.strictSame(readNotes(''), [])
  // A slot that was skipped holds zeros.
  t.strictSame(readNotes('\0'.repeat(SLOT_BYTES) + noteOf('GET', '/')), [{ method: 'GET', path: '/', isCalled: true }])
  t.end()
})
