import { spawn } from 'node:child_process'
import { createServer, type ServerResponse } from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { embeddedStore } from '#src/primary/embedded/embedded-store.js'
import type { ManagedServer } from '#src/primary/embedded/managed-server.js'

async function storeAt(t: Test, listener: net.Server): Promise<ManagedServer> {
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => listener.close())
  const { port } = listener.address() as net.AddressInfo
  const backend = { name: 'none', spawn: () => spawn('sleep', ['60'], { detached: true }) }
  const settings = {
    place: { port },
    accessKey: '',
    secretKey: '',
    region: '',
    lifeline: '',
    logLevel: 'silent',
  } as const
  const store = embeddedStore({ ...settings, backend, stopTimeoutMs: () => 5_000, log: pino({ level: 'silent' }) })
  t.teardown(() => store.stop())
  await store.start()
  return store
}

function answering(status: number): net.Server {
  return createServer((_request, response: ServerResponse) => void response.writeHead(status).end())
}

void t.test('a store that refuses an unsigned request serves', async t => {
  t.ok(await (await storeAt(t, answering(403))).serving(5_000))
})

void t.test('a store that answers 503 does not serve yet', async t => {
  t.notOk(await (await storeAt(t, answering(503))).serving(300))
})

void t.test('a store that cuts connections does not serve', async t => {
  t.notOk(
    await (
      await storeAt(
        t,
        net.createServer(socket => socket.destroy()),
      )
    ).serving(300),
  )
})
