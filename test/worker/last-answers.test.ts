import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { brokenAnswer } from '#src/balancer-process.js'
import { readNotes } from '#src/ipc/request-notes.js'
import { answerFor, answerInPlace, notesOf, SAMPLE_ID } from '#src/worker/last-answers.js'
import { OpenCalls, type OpenCall } from '#src/worker/open-calls.js'
import { owed, OwedAnswers } from '#src/worker/owed-answers.js'
import { temporaryFolder } from '../helpers/harness.js'

const SAMPLE = brokenAnswer({ config: {} as never }, SAMPLE_ID)

const call = (path: string, file: number, isCalled = false): OpenCall => ({
  method: 'GET',
  path,
  id: `id of ${path}`,
  file,
  isCalled,
})

function named(calls: OpenCall[], owing: number[]): string[] {
  const notes = notesOf(calls, new Map(owing.map(file => [file, owed.answer])))
  return readNotes(notes).map(({ path, isCalled, isOwn }) => `${path} ${isCalled} ${isOwn}`)
}

void t.test('the request in whose call the app was is noted, and so are those that wait', t => {
  const calls = [call('/waits', 20), call('/streams', 21), call('/hangs', 22, true), call('/passed-on', -1)]
  t.strictSame(named(calls, [20, 22]), ['/waits false true', '/hangs true true', '/passed-on false false'])
  t.end()
})

void t.test('a request that was alone is the reason, whatever streams beside it', t => {
  t.strictSame(named([call('/alone', 20), call('/streams', 21)], [20]), ['/alone true true'])
  t.strictSame(named([call('/streams', 21)], []), [])
  t.end()
})

void t.test('an answer has the id of its request, the right length, and for a HEAD no body', t => {
  const answer = answerFor(SAMPLE, 'given', owed.answer)
  t.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  t.match(answer, /^x-request-id: given\r$/m)
  t.match(answer, /^connection: close\r$/m)
  const [, length, body = ''] = /^content-length: (\d+)[^]*?\r\n\r\n([^]*)$/m.exec(answer) ?? []
  t.equal(Number(length), body.length)
  t.match(JSON.parse(body), { code: 'UPSTREAM_BROKEN', requestId: 'given' })
  t.match(answerFor(SAMPLE, 'given', owed.head), /^content-length: [1-9]\d+\r$[^]*\r\n\r\n$/m)
  t.end()
})

void t.test('each client that is owed an answer gets one, and a client that has left costs nothing', async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  t.teardown(() => client.destroy())
  const [socket] = (await once(server, 'connection')) as [net.Socket & { _handle: { fd: number } }]
  t.teardown(() => socket.destroy())
  const answers = new OwedAnswers()
  const calls = new OpenCalls()
  const { fd } = socket._handle
  answers.owe(fd, owed.answer)
  answers.owe(60_000, owed.answer)
  calls.begin({ method: 'GET', url: '/hang', headers: { 'x-request-id': 'an-id' } }, fd)
  const notes = join(temporaryFolder(t), 'notes')
  answerInPlace(answers, calls, SAMPLE, notes)
  const [data] = (await once(client, 'data')) as [Buffer]
  t.match(data.toString(), /^HTTP\/1\.1 502 [^]*"requestId":"an-id"}\n$/)
  t.match(readNotes(readFileSync(notes, 'latin1')), [{ method: 'GET', path: '/hang', isCalled: true, isOwn: true }])
})
