import t from 'tap'
import { newSessionId, workerOfSession } from '#src/ipc/session-affinity.js'

void t.test('a session id names its worker', t => {
  for (const worker of ['1', '1024', 'release-2_7']) {
    const id = newSessionId(worker)
    t.equal(workerOfSession(`/socket.io/?EIO=4&transport=polling&sid=${id}`), worker)
    t.equal(workerOfSession(`/socket.io/?sid=${id}&EIO=4`), worker)
    t.equal(encodeURIComponent(id), id, 'it goes into a query as it is')
  }
  t.end()
})

void t.test('no two session ids are equal', t => {
  t.equal(new Set(Array.from({ length: 1_000 }, () => newSessionId('1'))).size, 1_000)
  t.end()
})

void t.test('a foreign session id names no worker', t => {
  const random = 'a'.repeat(20)
  const others = [
    undefined,
    '/',
    '/socket.io/?EIO=4&transport=polling',
    '/?sid=',
    '/?sid=1',
    `/?sid=${random}`,
    `/?sid=.${random}`,
    `/?sid=1.${random}a`,
    `/?sid=1.${random.slice(1)}`,
    `/?sid=1.${random}#`,
    `/?sid=1/2.${random}`,
    `/?sid=${'1'.repeat(65)}.${random}`,
    `/?usid=1.${random}`,
    `/sid=1.${random}`,
  ]
  for (const url of others) t.equal(workerOfSession(url), undefined, String(url))
  t.end()
})
