import { once } from 'node:events'
import http from 'node:http'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import type { Log } from '#src/control/log-answer.js'
import { within } from '../helpers/deadline.js'
import { startControl } from './running-control.js'

/** A log of a test, with at most one follower. */
class TestLog implements Log {
  follower: ((line: string) => void) | undefined
  stopped = false

  read(_count: number, onLine?: (line: string) => void): { lines: string[]; stop: () => void } {
    this.follower = onLine
    return { lines: ['before'], stop: () => (this.stopped = true) }
  }
}

void t.test('a client that follows gets each line as it comes, and the end of the instance', async t => {
  const log = new TestLog()
  const { socketPath, dataDir, server } = await startControl(t, { log })
  const client = await ControlClient.connect(socketPath, dataDir)
  const events = client.logs(10, true)
  t.strictSame((await events.next()).value, { event: 'line', line: 'before' })
  log.follower?.('after')
  t.strictSame((await events.next()).value, { event: 'line', line: 'after' })
  void server.stop()
  await t.rejects(events.next(), { code: 'STOPPING' })
})

void t.test('a log that is not followed ends', async t => {
  const { socketPath, dataDir } = await startControl(t, { log: new TestLog() })
  const client = await ControlClient.connect(socketPath, dataDir)
  const lines: unknown[] = []
  for await (const event of client.logs(10, false)) lines.push(event)
  t.strictSame(lines, [{ event: 'line', line: 'before' }])
})

void t.test('a client that reads too slowly misses lines and is told how many', async t => {
  const log = new TestLog()
  const { socketPath } = await startControl(t, { log })
  const options = { socketPath, path: '/v1/logs?follow=1', headers: { accept: 'application/x-ndjson' } }
  const request = http.request({ ...options, agent: false }).end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const long = 'x'.repeat(64 * 1024)
  for (let i = 0; i < 1_000; i++) log.follower?.(long)
  let text = ''
  const told = new Promise<void>(resolve => {
    response.setEncoding('utf8').on('data', chunk => {
      text += String(chunk)
      // Nothing is sent before there is another line.
      log.follower?.('next')
      if (/"event":"skipped".*\n/.test(text)) resolve()
    })
  })
  await within(told, 'the number of lines that were skipped')
  const sent = text.split(long).length - 1
  const skipped = Number(/"skipped","lines":(\d+)/.exec(text)?.[1])
  t.ok(sent < 500, `${sent} lines were sent`)
  t.ok(skipped >= 1_000 - sent, `${skipped} were skipped`)
  response.destroy()
  await within(once(response, 'close'), 'the end')
})
