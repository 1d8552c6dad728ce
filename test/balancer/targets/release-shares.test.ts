import type { IncomingMessage } from 'node:http'
import t from 'tap'
import type { TargetSpec } from '#balancer/contract/targets.js'
import { BASE, ReleaseShares } from '#balancer/targets/release-shares.js'
import { Chance } from '#scripts/lib/chance.js'

const spec = (id: string, release?: string, share?: number): TargetSpec => {
  return { id, socketPath: `/run/${id}.sock`, draining: false, ...(release !== undefined && { release, share }) }
}

function sharesOf(share: number, key = 'key'): ReleaseShares {
  const chance = new Chance(1)
  const shares = new ReleaseShares(key, () => chance.next())
  shares.set([spec('1'), spec('2', 'r2', share)])
  return shares
}

const request = (socket: object = {}, cookie?: string): IncomingMessage =>
  ({ socket, headers: { cookie } }) as unknown as IncomingMessage

/** The part of a cookie that a browser sends back. */
const kept = (cookie: string | undefined): string => (cookie ?? '').split(';')[0] ?? ''

void t.test('without another release there is nothing to choose, and no cookie is set', t => {
  const shares = new ReleaseShares('key', Math.random)
  t.equal(shares.set([spec('1'), spec('2')]), false)
  t.equal(shares.of(request()), undefined)
  t.equal(shares.cookieFor(request()), undefined)
  t.end()
})

void t.test('a release without a share is given to nobody, and no cookie is set', t => {
  const shares = sharesOf(0)
  for (let i = 0; i < 100; i++) t.equal(shares.of(request()), BASE)
  t.equal(shares.cookieFor(request()), undefined)
  t.end()
})

for (const share of [0.05, 0.2, 0.5]) {
  void t.test(`${share * 100} % of the clients get the release that is tried`, t => {
    const shares = sharesOf(share)
    let tried = 0
    for (let i = 0; i < 2_000; i++) if (shares.of(request()) === 'r2') tried += 1
    t.ok(Math.abs(tried - 2_000 * share) <= 12, `${tried} of 2000`)
    t.end()
  })

  void t.test(`a few connections with many requests get ${share * 100} % of them answered by that release`, t => {
    for (let connections = 1; connections <= 4; connections++) {
      const shares = sharesOf(share)
      const sockets = Array.from({ length: connections }, () => ({}))
      let tried = 0
      for (let i = 0; i < 2_000; i++) if (shares.of(request(sockets[i % connections])) === 'r2') tried += 1
      t.ok(Math.abs(tried - 2_000 * share) <= 12, `${tried} of 2000 over ${connections}`)
    }
    t.end()
  })
}

void t.test('a client with its cookie stays with its release over any connection', t => {
  const shares = sharesOf(0.5)
  const seen = new Set<string | undefined>()
  for (let client = 0; client < 50; client++) {
    const first = request()
    const release = shares.of(first)
    seen.add(release)
    const cookie = kept(shares.cookieFor(first))
    for (let i = 0; i < 20; i++) {
      const next = request({}, `a=b; ${cookie}; c=d`)
      t.equal(shares.of(next), release)
      t.equal(shares.cookieFor(next), undefined, 'it has its cookie')
    }
  }
  t.strictSame(seen, new Set([BASE, 'r2']))
  t.end()
})

void t.test('one request gets one release, however often it is asked for', t => {
  const shares = sharesOf(0.5)
  for (let i = 0; i < 100; i++) {
    const one = request()
    const first = shares.of(one)
    t.equal(shares.of(one), first)
  }
  t.end()
})

void t.test('with a larger share no client goes back to the previous release', t => {
  const shares = sharesOf(0.1)
  const clients = Array.from({ length: 300 }, () => {
    const first = request()
    const release = shares.of(first)
    return { release, cookie: kept(shares.cookieFor(first)) }
  })
  shares.set([spec('1'), spec('2', 'r2', 0.5)])
  const after = clients.map(({ cookie }) => shares.of(request({}, cookie)))
  clients.forEach(({ release }, i) => release === 'r2' && t.equal(after[i], 'r2'))
  t.ok(after.filter(release => release === 'r2').length > 100)
  t.end()
})

void t.test('a cookie that was made up, is of another instance or of another trial is drawn anew', t => {
  const shares = sharesOf(0.01)
  const other = sharesOf(1, 'another key')
  const first = request()
  other.of(first)
  const stolen = kept(other.cookieFor(first))
  for (const cookie of [stolen, 'outpost_release=r2.0.AAAAAAAAAAAAAAAA', 'outpost_release=r2.0', 'outpost_release=']) {
    t.ok(shares.cookieFor(request({}, cookie)), cookie)
  }
  const own = request()
  shares.of(own)
  const cookie = kept(shares.cookieFor(own))
  shares.set([spec('1'), spec('3', 'r3', 0.5)])
  t.ok(shares.cookieFor(request({}, cookie)), 'the trial of r2 is over')
  t.end()
})

void t.test('when the trial is over all get the one release that is left', t => {
  const shares = sharesOf(0.5)
  const one = request()
  shares.of(one)
  shares.set([spec('1', 'r1', 0), spec('2')])
  t.equal(shares.of(one), BASE)
  t.equal(shares.ofTarget('2'), BASE)
  t.equal(shares.ofTarget('1'), 'r1')
  t.equal(shares.set([spec('2')]), true)
  t.equal(shares.of(request()), undefined)
  t.end()
})
