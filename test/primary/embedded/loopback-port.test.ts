import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { loopbackPort } from '#src/primary/embedded/loopback-port.js'
import { temporaryFolder } from '../../helpers/harness.js'

void t.test('a port is kept as long as it is free', async t => {
  const file = join(temporaryFolder(t), 'port')
  const port = loopbackPort(file)
  t.ok(port >= 20_000 && port <= 32_767, String(port))
  t.equal(loopbackPort(file), port)

  const taken = net.createServer().listen(port, '127.0.0.1')
  await once(taken, 'listening')
  const another = loopbackPort(file)
  t.not(another, port)
  taken.close()
  await once(taken, 'close')
  t.equal(loopbackPort(file), another)
})

void t.test('a malformed port file is ignored', t => {
  const file = join(temporaryFolder(t), 'port')
  for (const text of ['', 'x', '80', '-1', '99999999']) {
    writeFileSync(file, text)
    const port = loopbackPort(file)
    t.ok(port >= 20_000 && port <= 32_767, text)
  }
  t.end()
})
