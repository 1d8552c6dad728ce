import t from 'tap'
import { member } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { form, partHead, sendForm, UploadRequest } from '../helpers/forms.js'

// Most of the time is spent waiting, so two tests run at once.
t.jobs = 2

const file = form({ name: 'file', filename: 'x', content: 'x' })

for (const BALANCERS of ['1', '0']) {
  void t.test(`64 stalled uploads of one account leave places for others, with BALANCERS=${BALANCERS}`, async t => {
    const { url } = await Cluster.start(t, { BALANCERS, RATE_LIMIT_MAX: '0' })
    const [mallory, alice] = [await member(url), await member(url)]
    const stalled = Array.from({ length: 64 }, () => new UploadRequest(url, mallory))
    t.teardown(() => stalled.forEach(({ request }) => request.destroy()))
    const begun = partHead({ name: 'file', filename: 'x' }) + 'x'.repeat(1_024)
    await Promise.all(stalled.map(upload => upload.write(begun)))
    // Those over the share are refused after five seconds; until then they wait in the queue.
    let refused = 0
    for (const upload of stalled)
      void upload.answer.then(
        ({ status }) => (refused += status === 503 ? 1 : 0),
        () => undefined,
      )
    for (let i = 0; i < 8; i++) t.equal((await sendForm(url, file, alice)).status, 201)
    await until(() => refused >= 32, 'the refusals', 60_000)
    t.equal((await sendForm(url, file, alice)).status, 201)
  })
}
