import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { freePort } from '#scripts/lib/free-port.js'
import { folderOf } from '../helpers/releases.js'

/** Listens once it is let. */
const app = `
const { existsSync } = require('node:fs')
console.log('app loads')
const look = setInterval(() => {
  if (!existsSync('go')) return
  clearInterval(look)
  require('node:http').createServer((request, response) => response.end('x')).listen(process.env.PORT)
}, 20)
`

for (const [mode, BALANCERS] of Object.entries({ 'default mode': '1', 'two balancers': '2', 'mesh mode': '0' })) {
  void t.test(`a program that listens on the port before the app does is named in the log, with ${mode}`, async t => {
    const folder = folderOf(t, { 'app.js': app })
    const PORT = String(await freePort())
    const settings = { APP: 'app.js', BALANCERS, PORT, HOST: '', WORKERS: '1', EMBED: 'none' }
    const cluster = Cluster.spawn(t, settings, undefined, folder)
    await cluster.printed(/app loads/)
    const other = net.createServer().listen(Number(PORT), '::')
    t.teardown(() => other.close())
    await once(other, 'listening')
    writeFileSync(`${folder}/go`, '')
    t.match(await cluster.exited, { code: 78 })
    t.match(cluster.lines.join('\n'), new RegExp(`^outpost: PORT=${PORT}: cannot be bound`, 'm'))
    await cluster.gone()
  })
}
