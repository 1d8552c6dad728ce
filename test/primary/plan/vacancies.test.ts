import { pino } from 'pino'
import t from 'tap'
import type { Child } from '#src/primary/processes/child.js'
import { Roster } from '#src/primary/plan/roster.js'
import { Vacancies } from '#src/primary/plan/vacancies.js'
import { FakeClock } from '../../helpers/fake-clock.js'

function vacancies(workers: number): { roster: Roster; vacancies: Vacancies; said: string[] } {
  const said: string[] = []
  const log = pino({}, { write: line => void said.push((JSON.parse(line) as { msg: string }).msg) })
  const roster = new Roster({ balancer: 1, worker: workers })
  return { roster, vacancies: new Vacancies(roster, log), said }
}

function dead(servedMs: number): Child {
  return {
    role: 'worker',
    name: 'worker 7',
    pid: 7,
    ending: 'exit code 1',
    servedMs,
    lastLines: [],
  } as unknown as Child
}

void t.test('the place of one that had served is filled at once', t => {
  new FakeClock(t)
  const { roster, vacancies: all, said } = vacancies(2)
  const [slot] = roster.slotsFor('worker')
  all.arose(slot!, dead(5_000))
  t.equal(slot!.notBefore, 0)
  t.equal(all.nextDue, undefined)
  t.strictSame(said, ['it died and is replaced'])
  t.end()
})

void t.test('of several that wait the first is known', t => {
  const clock = new FakeClock(t)
  const { roster, vacancies: all } = vacancies(2)
  const [one, other] = roster.slotsFor('worker')
  all.arose(one!, dead(0))
  all.arose(one!, dead(0))
  all.arose(other!, dead(0))
  t.ok(other!.notBefore < one!.notBefore)
  t.equal(all.nextDue, other!.notBefore)
  clock.advance(other!.notBefore - clock.now)
  t.equal(all.nextDue, one!.notBefore)
  t.end()
})

void t.test('a crash loop of all places is one message', t => {
  new FakeClock(t)
  const { roster, vacancies: all, said } = vacancies(3)
  for (let i = 0; i < 12; i += 1) all.arose(roster.slotsFor('worker')[i % 3]!, dead(0))
  t.strictSame(
    roster.slotsFor('worker').map(({ parked }) => parked),
    [true, true, true],
  )
  t.equal(said.filter(line => line.startsWith('crash loop')).length, 1)
  t.equal(said.length, 10)
  t.end()
})
