import t from 'tap'
import { noteOf, noteState, readNotes, SLOT_BYTES } from '#src/ipc/request-notes.js'

void t.test('a note has the size of its slot, whatever the target', t => {
  for (const target of ['/', '/a?secret=1', `/${'b'.repeat(1_000)}`]) t.equal(noteOf('GET', target).length, SLOT_BYTES)
  t.notMatch(noteOf('GET', '/a?secret=1'), 'secret')
  t.end()
})

void t.test('requests whose answers are not complete are read', t => {
  const notes = [
    noteOf('GET', '/called'),
    noteOf('GET', '/over', true, noteState.over),
    noteOf('POST', '/open?a=b', false, noteState.open),
  ]
  t.strictSame(readNotes(notes.join('')), [
    { method: 'GET', path: '/called', isCalled: true, isOwn: true },
    { method: 'POST', path: '/open', isCalled: false, isOwn: false },
  ])
  t.strictSame(readNotes(''), [])
  // A slot that was skipped holds zeros.
  t.match(readNotes('\0'.repeat(SLOT_BYTES) + noteOf('GET', '/')), [{ method: 'GET', path: '/', isCalled: true }])
  t.end()
})
