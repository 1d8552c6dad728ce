import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'

const APP = 'closes-its-server.cjs'

void t.test('an app that closes its server and has nothing else to do ends, and another worker follows', async t => {
  const plain = await PlainNode.start(t, [APP])
  await ask(plain.url, '/close')
  await until(() => plain.output === 'over\n', 'the end of the app')
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    const cluster = await Cluster.start(t, { APP, BALANCERS, WORKERS: '1' }, undefined, strangers)
    const { text: pid } = await ask(cluster.url, '/close')
    await cluster.printed(/^\[worker 1\] over$/)
    const { status, text } = await ask(cluster.url, '/')
    t.equal(status, 200, mode)
    t.not(text, pid, mode)
    t.match(await cluster.stop(), { code: 0 }, mode)
  }
})
