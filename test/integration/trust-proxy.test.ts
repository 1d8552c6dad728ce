import t from 'tap'
import { ask, jsonOf } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { PlainNode, strangers } from '../helpers/plain-node.js'
import { MODES } from '../helpers/modes.js'

const SETTINGS = ['1', 'true', 'loopback', 'false']

const CLIENT = '203.0.113.9'
/** The headers of a proxy for a request of this client with `X-Forwarded-For: 198.51.100.1`. */
const OF_A_PROXY = {
  'x-forwarded-for': `198.51.100.1, ${CLIENT}`,
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'a.example',
}
/** The same of a proxy that speaks both languages. */
const OF_ANOTHER_PROXY = { ...OF_A_PROXY, forwarded: `for=198.51.100.1, for=${CLIENT};proto=https;host=a.example` }
/** The same client without a proxy in front. */
const DIRECT = '127.0.0.77'

const FRONTS = {
  'behind a trusted proxy': OF_A_PROXY,
  'behind a trusted proxy that sends Forwarded': OF_ANOTHER_PROXY,
  'without a proxy': undefined,
}

interface Seen {
  ip: string
  protocol: string
  warnings: string[]
}

async function seenBy(url: string, setting: string, headers: typeof OF_A_PROXY | undefined): Promise<Seen> {
  const options = headers === undefined ? { from: DIRECT } : { headers }
  return jsonOf(await ask(url, `/${setting}`, options)) as unknown as Seen
}

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  for (const [where, headers] of Object.entries(FRONTS)) {
    const proxied = headers !== undefined
    void t.test(
      `an app sees the client and no further warnings with any trust setting ${where}, in ${mode}`,
      async t => {
        const plain = await PlainNode.start(t, ['trust-proxy.cjs'])
        const env = { APP: 'trust-proxy.cjs', BALANCERS, WORKERS: '1', TRUST_PROXY: proxied ? '1' : '0' }
        const { url } = await Cluster.start(t, env, undefined, strangers)
        for (const setting of SETTINGS) {
          const seen = await seenBy(url, setting, headers)
          t.match(seen, proxied ? { ip: CLIENT, protocol: 'https' } : { ip: DIRECT, protocol: 'http' }, setting)
          const { warnings } = await seenBy(plain.url, setting, headers)
          t.strictSame(
            seen.warnings.filter(code => !warnings.includes(code)),
            [],
            setting,
          )
        }
      },
    )
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
