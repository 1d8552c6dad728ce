import t from 'tap'
import { MISSED_MS, planCron } from '#src/primary/plan/cron.js'

const job = { id: 'mail', dueAt: 1_000, runs: false }

void t.test('a job runs when its time has come, and not before', t => {
  t.strictSame(planCron([job], 999), [])
  t.strictSame(planCron([job], 1_000), [{ type: 'run', id: 'mail' }])
  t.strictSame(planCron([job, { ...job, id: 'later', dueAt: 5_000 }], 1_500), [{ type: 'run', id: 'mail' }])
  t.end()
})

void t.test('a time at which the last run goes on is skipped', t => {
  t.strictSame(planCron([{ ...job, runs: true }], 1_000), [{ type: 'skip', id: 'mail', reason: 'overlap' }])
  t.end()
})

void t.test('a time that is long over is not made up for', t => {
  t.strictSame(planCron([job], job.dueAt + MISSED_MS), [{ type: 'run', id: 'mail' }])
  t.strictSame(planCron([job], job.dueAt + MISSED_MS + 1), [{ type: 'skip', id: 'mail', reason: 'missed' }])
  t.end()
})
