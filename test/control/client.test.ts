import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ControlError } from '#src/control/protocol.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder, type Harness } from '../helpers/harness.js'
import { aStatus, startControl, workerFailed } from './running-control.js'

/** A client of another server on a unix socket. */
async function clientOf(t: Harness, later: http.RequestListener): Promise<ControlClient> {
  const socketPath = join(temporaryFolder(t), 'control.sock')
  let first = true
  const server = http.createServer((request, response) => {
    if (first) response.end(JSON.stringify(aStatus))
    else later(request, response)
    first = false
  })
  await new Promise<void>(resolve => server.listen(socketPath, resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return ControlClient.connect(socketPath)
}

void t.test('status, reload and stop reach the commands', async t => {
  const { socketPath, carriedOut } = await startControl(t)
  const client = await ControlClient.connect(socketPath)
  t.strictSame(await client.status(), aStatus)
  t.strictSame(await client.reload(), { replaced: 2 })
  t.strictSame(await client.stop(), { pid: process.pid })
  await until(() => carriedOut.includes('stop'), 'the stop, which follows its answer')
})

void t.test('a reload reports each worker as it is replaced', async t => {
  const { socketPath } = await startControl(t, {
    reload: async onProgress => {
      for (const worker of ['1', '2']) onProgress({ event: 'replaced', worker })
      return { replaced: 2 }
    },
  })
  const client = await ControlClient.connect(socketPath)
  const replaced: string[] = []
  await client.reload(({ worker }) => replaced.push(worker))
  t.strictSame(replaced, ['1', '2'])
})

void t.test('a failed reload throws its code, its message and the last lines of the worker', async t => {
  const { socketPath } = await startControl(t, { reload: () => Promise.reject(workerFailed()) })
  const client = await ControlClient.connect(socketPath)
  const error = await client.reload().catch((error: unknown) => error)
  t.type(error, ControlError)
  t.match(error, { code: 'RELOAD_FAILED', message: 'the new worker 3 did not become ready', lastLines: ['boom'] })
})

void t.test('a failed command throws the code and the text of its problem', async t => {
  const { socketPath } = await startControl(t, {
    status: () => {
      throw new Error('broken')
    },
  })
  const expected = { code: 'COMMAND_FAILED', message: 'The command failed inside Outpost: broken' }
  await t.rejects(ControlClient.connect(socketPath), expected)
})

void t.test('a folder without a running Outpost is named in the error', async t => {
  const dataDir = temporaryFolder(t)
  const message = `no Outpost runs on ${dataDir}`
  await t.rejects(ControlClient.of(dataDir), { name: 'NotRunningError', message }, 'no socket')
  const stale = join(dataDir, 'control.sock')
  writeFileSync(stale, '')
  await t.rejects(ControlClient.connect(stale, dataDir), { message }, 'a file that is no socket')
})

void t.test('an instance that has ended is named in the error', async t => {
  const { server, socketPath, dataDir } = await startControl(t)
  const client = await ControlClient.connect(socketPath, dataDir)
  await server.stop()
  await t.rejects(client.status(), { name: 'NotRunningError', message: `no Outpost runs on ${dataDir}` })
})

void t.test('a call fails at its deadline, before and during its answer', async t => {
  const silent = await clientOf(t, () => undefined)
  const late = { message: /^Outpost on \/.* has not answered within 0\.05 s; the command may still be carried out$/ }
  await t.rejects(silent.reload(undefined, 50), late)
  const slow = await clientOf(t, (_request, response) => void response.write('{"event":"replaced","worker":"1"}\n'))
  await t.rejects(slow.reload(undefined, 50), late)
  const reading = { message: / has not answered within 0\.05 s; its primary may be stopped or overloaded$/ }
  await t.rejects(silent.serving(50), reading)
})

void t.test('an answer outside the contract is an error', async t => {
  const client = await clientOf(t, (_request, response) => response.end('<html>'))
  await t.rejects(client.status(), { message: /does not match its contract: <html>/ })
})

void t.test('a stream that breaks off is an error', async t => {
  const client = await clientOf(t, (_request, response) => response.end('{"event":"replaced","worker":"1"}\n'))
  await t.rejects(client.reload(), { message: /ended its answer before the reload was over/ })
})

void t.test('a scale returns the wanted counts, and a refused one throws its code', async t => {
  const { socketPath } = await startControl(t, {
    scale: ({ workers = 2, balancers = 1 }) => {
      if (balancers === 0) throw new ControlError('MODE_IS_FIXED')
      return { workers, balancers }
    },
  })
  const client = await ControlClient.connect(socketPath)
  t.strictSame(await client.scale({ workers: 4 }), { workers: 4, balancers: 1 })
  await t.rejects(client.scale({ balancers: 0 }), { code: 'MODE_IS_FIXED', status: 409 })
})
