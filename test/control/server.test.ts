import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { ControlServer, type Command } from '#src/control/server.js'

interface Started {
  path: string
  carriedOut: Command[]
}

async function startControl(t: Tap, carryOut?: (command: Command) => Promise<unknown>): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), 'outpost-control-'))
  const path = join(directory, 'control.sock')
  const carriedOut: Command[] = []
  const server = new ControlServer(path, command => {
    carriedOut.push(command)
    return carryOut?.(command) ?? Promise.resolve({ done: command.command })
  })
  await server.start()
  t.teardown(async () => {
    await server.stop()
    rmSync(directory, { recursive: true })
  })
  return { path, carriedOut }
}

type Tap = Pick<typeof t, 'teardown'>

async function ask(path: string, ...lines: string[]): Promise<unknown[]> {
  const socket = net.connect(path)
  const answers = createInterface({ input: socket })
  const iterator = answers[Symbol.asyncIterator]()
  socket.write(lines.map(line => `${line}\n`).join(''))
  const results: unknown[] = []
  while (results.length < lines.length) {
    const { value } = (await iterator.next()) as { value: string }
    results.push(JSON.parse(value))
  }
  socket.destroy()
  return results
}

void t.test('answers each command with a line', async t => {
  const { path } = await startControl(t)
  t.same(await ask(path, '{"command":"status"}', '{"command":"reload"}'), [
    { ok: true, result: { done: 'status' } },
    { ok: true, result: { done: 'reload' } },
  ])
})

void t.test('nobody else may enter', async t => {
  const { path } = await startControl(t)
  t.equal(statSync(path).mode & 0o777, 0o600)
})

void t.test('what is no command is answered, and carries nothing out', async t => {
  const { path, carriedOut } = await startControl(t)
  const refused = { ok: false, error: 'no such command' }
  t.same(await ask(path, 'reload', '{"command":"rm"}', '[]', ''), [refused, refused, refused, refused])
  t.same(carriedOut, [])
})

void t.test('tells why a command failed, with the last lines of a worker that did not come up', async t => {
  const { path } = await startControl(t, () =>
    Promise.reject(Object.assign(new Error('worker 3 did not become ready'), { lastLines: ['boom'] })),
  )
  t.same(await ask(path, '{"command":"reload"}'), [
    { ok: false, error: 'worker 3 did not become ready', lastLines: ['boom'] },
  ])
})

void t.test('a line without an end is cut off', async t => {
  const { path } = await startControl(t)
  const socket = net.connect(path)
  socket.on('error', () => undefined)
  socket.write('x'.repeat(1024 * 1024))
  await new Promise(resolve => socket.once('close', resolve))
  t.same(await ask(path, '{"command":"status"}'), [{ ok: true, result: { done: 'status' } }])
})

void t.test('stop does not wait for who is connected', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'outpost-control-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const server = new ControlServer(join(directory, 'control.sock'), () => new Promise(() => undefined))
  await server.start()
  const socket = net.connect(join(directory, 'control.sock'))
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  await server.stop()
  t.pass('stopped')
})
