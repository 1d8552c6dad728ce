import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'

/** More characters than the longest possible string, without a line break. */
const app = `
import { writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
const chunk = Buffer.alloc(1024 ** 2, 'x')
export default async (request, response) => {
  const length = request.url === '/print' ? 600 : 0
  // The pauses let the event loop beat, however slow the reader is: a worker that blocks is replaced.
  for (let written = 0; written < length * chunk.length; ) {
    try { written += writeSync(1, chunk) } catch (error) { if (error.code !== 'EAGAIN') throw error }
    await pause(0)
  }
  response.end('printed')
}
`

void t.test('an app that prints a line without an end does not stop the primary', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, app)
  const cluster = await Cluster.start(t, { APP, WORKERS: '1' })
  // The test does not need this much output.
  cluster.stopReading()
  t.match(await ask(cluster.url, '/print'), { status: 200, text: 'printed' })
  t.match(await cluster.stop(), { code: 0 })
})
