import { readFileSync } from 'node:fs'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { MAX_SLOTS, readNotes, type NotedRequest } from '#src/ipc/request-notes.js'
import { RequestNotes } from '#src/worker/request-notes.js'
import { temporaryFolder } from '../helpers/harness.js'

function answerTo(method: string, url: string): ServerResponse {
  return new ServerResponse(Object.assign(new IncomingMessage(new Socket()), { method, url }))
}

function read(path: string): NotedRequest[] {
  return readNotes(readFileSync(path, 'latin1'))
}

void t.test('a request is noted from the call of the app to the close of its answer', async t => {
  const path = join(temporaryFolder(t), 'notes')
  const notes = new RequestNotes(path)
  notes.begin(answerTo('GET', '/before'))
  t.strictSame(read(path), [], 'nothing before a failure')
  notes.goOn()
  const slow = answerTo('GET', '/slow?x')
  notes.begin(slow)
  t.strictSame(read(path), [{ method: 'GET', path: '/slow', isCalled: true, isOwn: false }])
  await new Promise(resolve => setImmediate(resolve))
  const quick = answerTo('POST', '/quick')
  notes.begin(quick)
  const both = [
    { method: 'GET', path: '/slow', isCalled: false, isOwn: false },
    { method: 'POST', path: '/quick', isCalled: true, isOwn: false },
  ]
  t.strictSame(read(path), both)
  slow.emit('close')
  notes.begin(answerTo('PUT', '/next'))
  t.strictSame(
    read(path).map(({ path }) => path),
    ['/next', '/quick'],
    'its slot is free again',
  )
})

void t.test('a request without a slot is not noted, and a file that cannot be made fails nothing', t => {
  const path = join(temporaryFolder(t), 'notes')
  const notes = new RequestNotes(path)
  notes.goOn()
  for (let i = 0; i < MAX_SLOTS + 10; i += 1) notes.begin(answerTo('GET', `/${i}`))
  t.equal(read(path).length, MAX_SLOTS)
  const none = new RequestNotes(join(path, 'below-a-file'))
  none.goOn()
  none.begin(answerTo('GET', '/'))
  t.end()
})
