import { PassThrough } from 'node:stream'
import t from 'tap'
import { ConnectionRefusals } from '#balancer/edge/connection-refusals.js'

void t.test('the sender of a refused request is named as everywhere else', t => {
  const named: string[] = []
  const refusals = new ConnectionRefusals({}, (_code, client) => named.push(client))
  for (const remoteAddress of ['::ffff:192.0.2.7', '192.0.2.7', '2001:db8::1', undefined]) {
    refusals.note('BAD_UPGRADE', Object.assign(new PassThrough(), { remoteAddress }))
  }
  t.strictSame(named, ['192.0.2.7', '192.0.2.7', '2001:db8::1', 'unknown'])
  t.end()
})
