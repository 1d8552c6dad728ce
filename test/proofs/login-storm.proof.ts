import t from 'tap'
import { ask, jsonOf, login, somebody } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'

const LOGINS = 90

for (const BALANCERS of ['1', '0']) {
  void t.test(`other requests stay quick in a storm of sign-ins, with BALANCERS=${BALANCERS}`, async t => {
    const cluster = await Cluster.start(t, { BALANCERS, RATE_LIMIT_MAX: '0' })
    const { url } = cluster
    const before = cluster.supervision()

    let underWay = LOGINS
    const storm = Array.from({ length: LOGINS }, () => login(url, somebody()).finally(() => (underWay -= 1)))
    for (let i = 0; i < 20; i++) t.match(await ask(url, '/health'), { status: 200 })
    t.ok(underWay > 0, 'twenty health checks were quicker than the storm')

    const answers = await Promise.all(storm)
    const statuses = answers.map(({ status }) => status)
    t.strictSame(new Set(statuses), new Set([401, 503]), 'never anything else')
    t.ok(statuses.filter(status => status === 401).length >= 64, 'at least so many may wait')
    for (const refused of answers.filter(({ status }) => status === 503)) {
      t.match(jsonOf(refused), { code: 'HASHING_BUSY' })
      t.match(refused.headers['retry-after'], /^\d+$/)
    }
    t.match(await login(url, somebody()), { status: 401 }, 'a sign-in works after the storm')
    t.strictSame(cluster.supervision(), before)
  })
}
