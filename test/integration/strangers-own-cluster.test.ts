import t from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { MODES } from '../helpers/modes.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'

const APP = 'own-cluster.cjs'

/** Waits until another process answers. */
async function endsItself(url: string, method: string): Promise<void> {
  const { text: pid } = await ask(url, `/${method}`)
  const replaced = async (): Promise<boolean> => {
    const { status, text } = await ask(url, '/')
    return status === 200 && text !== pid
  }
  await until(replaced, `another process after ${method}`)
}

void t.test('a worker of an app with cluster code of its own can end itself, and another one follows', async t => {
  const plain = await PlainNode.start(t, [APP])
  for (const [index, method] of ['disconnect', 'kill'].entries()) {
    await ask(plain.url, `/${method}`)
    // Node may lose a connection that comes while a worker disconnects.
    const started = (): number => plain.output.split('worker listens').length - 1
    await until(() => started() === index + 2, `another worker after ${method}`)
  }
  for (const [mode, BALANCERS] of Object.entries(MODES)) {
    // A worker that does not end itself in its listener of SIGTERM fails the test by its own deadline.
    const env = { APP, BALANCERS, WORKERS: '1', SHUTDOWN_TIMEOUT_MS: '600000' }
    const cluster = await Cluster.start(t, env, undefined, strangers)
    for (const method of ['disconnect', 'kill']) await endsItself(cluster.url, method)
    await cluster.printed(/^\[worker 1\] last words$/)
    t.match(await cluster.stop(), { code: 0 }, mode)
  }
})
