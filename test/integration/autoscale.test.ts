import http from 'node:http'
import t from 'tap'
import { Cluster } from '../helpers/cluster.js'
import { fixture } from '../helpers/fixtures.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const PLACES = 10

for (const [mode, balancers] of Object.entries({ 'default mode': 1, 'mesh mode': 0 })) {
  void t.test(`requests in flight add a worker, until the number is fixed, in ${mode}`, async t => {
    const cluster = Cluster.spawn(t, {
      APP: fixture('patient-app.js'),
      WORKERS: '1-2',
      BALANCERS: String(balancers),
      MAX_IN_FLIGHT: String(PLACES),
      TRUST_PROXY: '1',
    })
    await cluster.serving()
    await cluster.has('worker', 1)
    // One client alone may not take all places.
    const polls = Array.from({ length: PLACES - 1 }, (_, client) => {
      const headers = { 'X-Forwarded-For': `192.0.2.${client + 1}` }
      return http.get(`${cluster.url}/poll`, { agent: false, headers }).on('error', () => undefined)
    })
    await cluster.printed(/pool grows from 1 to 2 workers: load by requests in flight/)
    await cluster.has('worker', 2)
    t.strictSame(await cluster.scale({ workers: 3 }), { workers: 3, balancers }, 'more than WORKERS allows')
    await cluster.has('worker', 3)
    for (const poll of polls) poll.destroy()
    // It takes seconds, and the load is looked at each second.
    t.strictSame(await cluster.reload(), { replaced: 3 })
    t.notOk(cluster.lines.some(line => line.includes('pool shrinks')))
  })
}

for (const [mode, balancers] of Object.entries({ 'default mode': 1, 'mesh mode': 0 })) {
  void t.test(`requests of one client that wait for a place add a worker, in ${mode}`, async t => {
    const cluster = Cluster.spawn(t, {
      APP: fixture('patient-app.js'),
      WORKERS: '1-2',
      BALANCERS: String(balancers),
      MAX_IN_FLIGHT: String(PLACES),
    })
    await cluster.serving()
    await cluster.has('worker', 1)
    const polls = Array.from({ length: 2 * PLACES }, () =>
      http.get(`${cluster.url}/poll`, { agent: false }).on('error', () => undefined),
    )
    await cluster.printed(/pool grows from 1 to 2 workers: load by requests in flight/)
    await cluster.has('worker', 2)
    for (const poll of polls) poll.destroy()
  })
}
