import t from 'tap'
import { deployQuerySchema } from '#src/control/protocol/releases.js'
import { bakeOf, percentOf, stagesOf } from '#src/cli/deploy.js'

void t.test('a trial is a number of seconds, or stages in growing shares', t => {
  for (const text of ['0', '10', '30s', '10%:30s', '10%:30s,50%:30', '0.5%:1s,99.9%:1s']) t.ok(bakeOf(text), text)
  const many = Array.from({ length: 21 }, (_, i) => `${i + 1}%:1s`).join(',')
  const wrong = [
    '',
    '-1',
    'x',
    '10%',
    '0%:10s',
    '200%:10s',
    '10%:30s,100%:30s',
    '100%:10s',
    '50%:1s,10%:1s',
    '50%:1s,50%:1s',
    '10%:30s,',
    many,
  ]
  for (const text of wrong)
    t.throws(() => bakeOf(text), { message: /^It must be a number of seconds, or up to 20 stages/ }, text)
  t.equal(stagesOf({ canary: 20, bake: '10%:30s,50%:30' }), '10:30,50:30')
  t.equal(stagesOf({ canary: 20, bake: '10' }), '20:10')
  t.equal(stagesOf({ canary: 20, bake: '0' }), '')
  t.end()
})

void t.test('a share leaves clients to compare with', t => {
  for (const text of ['20', '20%', '0.5', '99.9']) t.ok(percentOf(text), text)
  for (const text of ['0', '-1', '100', '100%', '101', 'x'])
    t.throws(() => percentOf(text), { message: /above 0 and under 100\. .*--bake 0 deploys without a trial/ }, text)
  t.equal(deployQuerySchema.safeParse({ stages: '10:30,100:30' }).success, false, 'nor does the control API take it')
  t.equal(deployQuerySchema.safeParse({ stages: '10:30,99.9:30' }).success, true)
  t.end()
})
