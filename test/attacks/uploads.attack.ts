import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { member } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { partHead, UploadRequest } from '../helpers/forms.js'
import { PoliteClient, sawOf } from '../helpers/polite-client.js'
import { MODES } from '../helpers/modes.js'

const TRUST = { 'TRUST_PROXY off': '0', 'TRUST_PROXY=1': '1' }
const UPLOADS = 64
const HELD_MS = 10_000

for (const [mode, BALANCERS] of Object.entries(MODES)) {
  for (const [trust, TRUST_PROXY] of Object.entries(TRUST)) {
    void t.test(`64 stalled uploads of one account hold up nobody, in ${mode} with ${trust}`, async t => {
      const cluster = await Cluster.start(t, { BALANCERS, TRUST_PROXY, RATE_LIMIT_MAX: '0' })
      await cluster.ready()
      const mallory = await member(cluster.url)
      const alone = await PoliteClient.alone(t, `${cluster.url}/health`)
      const stalled = Array.from({ length: UPLOADS }, () => new UploadRequest(cluster.url, mallory))
      t.teardown(() => stalled.forEach(({ request }) => request.destroy()))
      for (const upload of stalled) upload.answer.catch(() => undefined)
      const begun = partHead({ name: 'file', filename: 'x' }) + 'x'.repeat(1_024)
      await Promise.all(stalled.map(upload => upload.write(begun)))
      const polite = new PoliteClient(t, `${cluster.url}/health`)
      await sleep(HELD_MS)
      const saw = await polite.stop()
      t.comment(sawOf(saw, alone))
      t.equal(saw.lost, 0)
      for (const { request } of stalled) request.destroy()
      t.match(await cluster.stop(), { code: 0 })
    })
  }
}
