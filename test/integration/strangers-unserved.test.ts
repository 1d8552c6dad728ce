import { join } from 'node:path'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

/** Servers that cannot be served, and what is said of them. */
const UNSERVED: Record<string, { args: string[]; told: RegExp }> = {
  'HTTP/2 on PORT': { args: ['http2'], told: /with HTTP\/2.*: listen with http.createServer there/ },
  'HTTPS on PORT': { args: ['https'], told: /with TLS.*: listen with http.createServer there/ },
  'TLS on PORT': { args: ['tls'], told: /with TLS.*: listen with http.createServer there/ },
  'plain TCP on PORT': { args: ['tcp'], told: /with TCP.*: listen with http.createServer there/ },
  'plain TCP on PORT beside other work': { args: ['tcp', 'waits'], told: /with TCP.*: listen with http.createServer/ },
  'TLS on PORT and catches the error': { args: ['tls', 'exits'], told: /with TLS.*: listen with http.createServer/ },
  'a unix path alone': {
    args: ['unix', 'ends', 'PATH'],
    told: /unix path .*, which is not served: have it listen on PORT=\d+/,
  },
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  for (const [name, { args, told }] of Object.entries(UNSERVED)) {
    void t.test(`an app that serves ${name} fails at once, and is told what to do, in ${mode}`, async t => {
      const words = args.map(word => (word === 'PATH' ? join(temporaryFolder(t), 'socket') : word))
      const env = { APP: 'no-http.cjs', APP_ARGS: words.join(' '), BALANCERS, WORKERS: '1', PORT: '0' }
      const cluster = Cluster.spawn(t, env, undefined, strangers)
      await cluster.printed(told)
      await cluster.printed(/"worker exited before it was ready"/)
    })
  }
}

void t.test('an app may listen on a unix path beside PORT', async t => {
  const path = join(temporaryFolder(t), 'socket')
  const cluster = await Cluster.start(
    t,
    { APP: 'no-http.cjs', APP_ARGS: `unix serves ${path}`, WORKERS: '1' },
    undefined,
    strangers,
  )
  t.match(await ask(cluster.url, '/'), { status: 200, text: 'by port' })
  t.match(await cluster.stop(), { code: 0 })
})
