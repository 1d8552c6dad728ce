import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'

/** Each request leaves objects. The app prints the size of the space for young ones whenever that has changed. */
const app = `
import http from 'node:http'
import v8 from 'node:v8'
let printed
setInterval(() => {
  const { space_size } = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  const size = Math.round(space_size / 2 ** 20)
  if (size !== printed) console.log('young objects: ' + (printed = size) + ' MiB')
}, 1000)
http.createServer((request, response) => {
  const objects = Array.from({ length: 5000 }, (_, number) => ({ number }))
  response.end(String(objects.length))
}).listen(process.env.PORT)
`
const GROWN_MIB = 8

const [major = 0] = process.versions.node.split('.').map(Number)
const skip = major < 24 && 'this Node keeps the space for young objects as large as it was'

void t.test('a worker gives back the memory of its young objects once it is at rest', { skip }, async t => {
  const APP = join(temporaryFolder(t), 'app.mjs')
  writeFileSync(APP, app)
  const cluster = await Cluster.start(t, { APP, WORKERS: '1', BALANCERS: '0' })
  const sizes = (): number[] => cluster.lines.map(line => Number(/young objects: (\d+) MiB/.exec(line)?.[1] ?? 0))
  const client = await ControlClient.of(cluster.dataDir)
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())

  let isBusy = false
  const load = async (): Promise<void> => {
    while (!isBusy) await ask(cluster.url, '/', { agent })
  }
  const loads = Array.from({ length: 8 }, load)
  await until(
    async () => {
      const { processes } = await client.status()
      const loopUse = Math.max(...processes.filter(({ role }) => role === 'worker').map(each => each.loopUse))
      return (isBusy = loopUse >= 0.3 && Math.max(...sizes()) >= GROWN_MIB)
    },
    'a busy worker',
    30_000,
  )
  await Promise.all(loads)

  const before = cluster.lines.length
  const hasShrunk = (): boolean =>
    sizes()
      .slice(before)
      .some(size => size > 0 && size <= GROWN_MIB / 2)
  await until(hasShrunk, 'the space for young objects to shrink', 60_000)
  t.pass('it has shrunk')
})
