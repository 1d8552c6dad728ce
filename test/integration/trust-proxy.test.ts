import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'

const MODES = { 'default mode': '1', 'mesh mode': '0' }
const SETTINGS = ['1', 'true', 'loopback', 'false']

const CLIENT = '203.0.113.9'
/** What a proxy sends that was asked with `X-Forwarded-For: 198.51.100.1` by this client. */
const OF_A_PROXY = {
  'x-forwarded-for': `198.51.100.1, ${CLIENT}`,
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'a.example',
}
/** The same client without a proxy in front. */
const DIRECT = '127.0.0.77'

interface Seen {
  ip: string
  protocol: string
  warnings: string[]
}

async function seenBy(url: string, setting: string, proxied: boolean): Promise<Seen> {
  const options = proxied ? { headers: OF_A_PROXY } : { from: DIRECT }
  return jsonOf(await ask(url, `/${setting}`, options)) as unknown as Seen
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  for (const proxied of [true, false]) {
    const where = proxied ? 'behind a trusted proxy' : 'without a proxy'
    void t.test(`whatever an app trusts, it sees the client and no further warnings ${where}, in ${mode}`, async t => {
      const plain = await PlainNode.start(t, ['trust-proxy.cjs'])
      const env = { APP: 'trust-proxy.cjs', BALANCERS, WORKERS: '1', TRUST_PROXY: proxied ? '1' : '0' }
      const { url } = await Cluster.start(t, env, undefined, strangers)
      for (const setting of SETTINGS) {
        const seen = await seenBy(url, setting, proxied)
        t.match(seen, proxied ? { ip: CLIENT, protocol: 'https' } : { ip: DIRECT, protocol: 'http' }, setting)
        const { warnings } = await seenBy(plain.url, setting, proxied)
        t.strictSame(
          seen.warnings.filter(code => !warnings.includes(code)),
          [],
          setting,
        )
      }
    })
  }

  void t.test(`a client cannot name itself by X-Forwarded-For without TRUST_PROXY, in ${mode}`, async t => {
    const env = { APP: 'trust-proxy.cjs', BALANCERS, WORKERS: '1' }
    const { url } = await Cluster.start(t, env, undefined, strangers)
    for (const setting of SETTINGS) {
      const answer = await ask(url, `/${setting}`, { headers: OF_A_PROXY, from: DIRECT })
      t.match(jsonOf(answer), { ip: DIRECT, protocol: 'http' }, setting)
    }
  })
}
