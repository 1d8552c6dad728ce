import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'

/** More than the longest string that there can be, without an end of the line. */
const app = `
import { writeSync } from 'node:fs'
const chunk = Buffer.alloc(1024 ** 2, 'x')
export default (request, response) => {
  const length = request.url === '/print' ? 600 : 0
  for (let written = 0; written < length * chunk.length; ) {
    try { written += writeSync(1, chunk) } catch (error) { if (error.code !== 'EAGAIN') throw error }
  }
  response.end('printed')
}
`

void t.test('an app that never ends its line harms nobody', async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, app)
  const cluster = await Cluster.start(t, { APP, WORKERS: '1' })
  // The test itself has no use for so much.
  cluster.stopReading()
  t.match(await ask(cluster.url, '/print'), { status: 200, text: 'printed' })
  t.match(await cluster.stop(), { code: 0 })
})
