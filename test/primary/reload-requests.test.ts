import t from 'tap'
import { ReloadRequests } from '#src/primary/reload-requests.js'

const worker = (
  id: string,
  generation: number,
): { id: string; spec: { role: 'worker'; release: string; place: number; generation: number } } => ({
  id,
  spec: { role: 'worker', release: 'start', place: 0, generation },
})

void t.test('a reload counts the workers that it has told of', async t => {
  const reloads = new ReloadRequests()
  const told: unknown[] = []
  const { generation, finished } = reloads.ask(event => told.push(event))
  reloads.replaced(worker('1', 0), generation)
  reloads.replaced(worker('2', 0), generation)
  t.equal(reloads.settled(generation), 2, 'the log gets the same number')
  t.equal(await finished, 2)
  t.strictSame(told, [
    { event: 'replaced', worker: '1' },
    { event: 'replaced', worker: '2' },
  ])
  t.notOk(reloads.areUnderWay)
})

void t.test('a reload that waits for another one counts only the workers that it replaces itself', async t => {
  const reloads = new ReloadRequests()
  const [first, second] = [reloads.ask(), reloads.ask()]
  reloads.replaced(worker('1', 0), first.generation)
  t.equal(reloads.settled(first.generation), 1)
  reloads.replaced(worker('2', first.generation), second.generation)
  t.equal(reloads.settled(second.generation), 1)
  t.strictSame(await Promise.all([first.finished, second.finished]), [1, 1])
})

void t.test('a worker that is replaced within its generation does not count', async t => {
  const reloads = new ReloadRequests()
  const { generation, finished } = reloads.ask()
  reloads.replaced(worker('1', generation), generation)
  t.equal(reloads.settled(generation), 0)
  t.equal(await finished, 0)
})
