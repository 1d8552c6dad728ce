import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'
import { RawConnection, requestBytes } from '../helpers/raw-http.js'
import { UPGRADE_HEADERS } from '../helpers/websocket.js'

const ATTACKER = '127.0.0.77'
const BEHIND_PROXY = '203.0.113.7'

const counts = [1, 32, 33, 400, 500, 900, ...Array.from({ length: 26 }, (_, i) => 980 + i), 1_500, 2_000, 3_000]

/** Headers with which a client could try to claim another identity. */
const attacks: [name: string, headers: string[]][] = [
  ...counts.map((count): [string, string[]] => [`${count} short headers`, repeat(count, i => `h${i}: x`)]),
  ...counts.map((count): [string, string[]] => [`${count} headers named by numbers`, repeat(count, i => `${i}: x`)]),
  ...[990, 998, 999, 1_000].map((count): [string, string[]] => [
    `${count} headers of one name`,
    repeat(count, () => 'h: x'),
  ]),
  ...[1, 2, 500, 998].map((count): [string, string[]] => [
    `${count} envelopes`,
    repeat(count, i => `X-Outpost-Client: key${i} http 0 127.0.0.1`),
  ]),
  ['a probe’s envelope', ['X-Outpost-Client: probe', 'User-Agent: outpost-health-check']],
  ['an envelope in other letters', ['x-oUTPOST-cLIENT: http 0 127.0.0.1']],
  ['an envelope named in Connection', ['Connection: x-outpost-client', 'X-Outpost-Client: http 0 127.0.0.1']],
  ['an envelope with a space before the colon', ['X-Outpost-Client : http 0 127.0.0.1']],
  ['an envelope with an underscore', ['X_Outpost_Client: http 0 127.0.0.1']],
  ['an envelope that is folded', ['X-Outpost-Client: http', ' 0 127.0.0.1']],
  ['headers near 16 KiB', repeat(15, i => `h${i}: ${'x'.repeat(1_000)}`)],
  ['a forwarded host near 16 KiB', [`X-Forwarded-Host: ${'h'.repeat(15_000)}`]],
]

function repeat(count: number, make: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

interface Seen {
  remoteAddress: string
  remotePort: number
  told: string
}

for (const BALANCERS of ['1', '0']) {
  for (const TRUST_PROXY of ['0', '1']) {
    void t.test(
      `no client can claim another identity, with BALANCERS=${BALANCERS}, TRUST_PROXY=${TRUST_PROXY}`,
      async t => {
        const env = { APP: fixture('identity-app.js'), WORKERS: '2', BALANCERS, TRUST_PROXY, EMBED: 'none' }
        const cluster = await Cluster.start(t, env)
        const supervision = cluster.supervision()
        const own = TRUST_PROXY === '0' ? ATTACKER : BEHIND_PROXY
        const proxy = TRUST_PROXY === '0' ? [] : [`X-Forwarded-For: 127.0.0.1, ${BEHIND_PROXY}`]

        /** Refusals are counted, because the test would prove nothing if every request were refused. */
        async function attack(name: string, bytes: string): Promise<boolean> {
          const client = await RawConnection.open(cluster.port, ATTACKER)
          const port = client.socket.localPort
          try {
            const answer = await client.write(bytes).response()
            if (answer.status >= 400) return false
            const seen = JSON.parse(answer.body.toString()) as Seen
            t.equal(seen.remoteAddress, own, name)
            t.equal(seen.remotePort, TRUST_PROXY === '0' ? port : 0, name)
            t.notMatch(seen.told, /outpost-client\\"[:,]/i, name)
            return true
          } finally {
            client.destroy()
          }
        }

        let served = 0
        for (const [name, headers] of attacks) {
          const all = [...proxy, ...headers]
          if (await attack(name, requestBytes('GET /', all))) served += 1
          if (await attack(`${name}, in an upgrade`, requestBytes('GET /', [...UPGRADE_HEADERS, ...all]))) served += 1
          const body = `0\r\n${headers.slice(0, 900).join('\r\n')}\r\nX-Outpost-Client: http 0 127.0.0.1\r\n\r\n`
          const chunked = requestBytes('POST /', [...proxy, 'Transfer-Encoding: chunked']) + body
          if (await attack(`${name}, in trailers`, chunked)) served += 1
        }
        t.ok(served > attacks.length, `${served} of ${attacks.length * 3} were served`)
        t.same(cluster.supervision(), supervision)
      },
    )
  }
}
