import t from 'tap'
import { DeployTurns } from '#src/primary/releases/deploy-turns.js'

const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))))

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  )

void t.test('one command at a time, and none while clients are about to get another release', async t => {
  let isChanging = false
  const turns = new DeployTurns(() => isChanging)
  let end: () => void = () => undefined
  const first = turns.take(() => new Promise<void>(resolve => (end = resolve)))
  t.equal(await codeOf(turns.take(() => Promise.resolve())), 'DEPLOY_UNDER_WAY')
  end()
  await first
  isChanging = true
  t.ok(turns.areTaken)
  t.equal(await codeOf(turns.take(() => Promise.resolve())), 'DEPLOY_UNDER_WAY')
  isChanging = false
  t.notOk(turns.areTaken)
})

void t.test('a rollback goes ahead of what is being prepared, and ends it', async t => {
  const turns = new DeployTurns(() => false)
  const deploy = turns.take(() => turns.prepare(never))
  const rollback = turns.takeAhead(rolledBack => Promise.resolve(rolledBack('r1')))
  t.equal(await codeOf(turns.takeAhead(() => Promise.resolve())), 'DEPLOY_UNDER_WAY', 'there is one at a time')
  await rollback
  t.equal(await codeOf(deploy), 'ROLLED_BACK')
  t.notOk(turns.areTaken)
})

void t.test('a rollback goes ahead of a release that is on its way to the clients', async t => {
  const turns = new DeployTurns(() => true)
  let end: () => void = () => undefined
  void turns.take(() => new Promise<void>(resolve => (end = resolve))).catch(() => undefined)
  t.equal(await codeOf(turns.takeAhead(() => Promise.resolve())), 'done')
  end()
})

void t.test('a release that is ready during a rollback waits for its outcome', async t => {
  for (const [fails, expected] of [
    [true, 'done'],
    [false, 'ROLLED_BACK'],
  ] as const) {
    const turns = new DeployTurns(() => false)
    let [isOver, change] = [false, 0]
    const deploy = turns.take(async () => {
      await turns.prepare(() => Promise.resolve())
      t.ok(isOver)
      change += 1
    })
    let end: () => void = () => undefined
    const rollback = turns.takeAhead(async rolledBack => {
      await new Promise<void>(resolve => (end = resolve))
      isOver = true
      if (fails) throw new Error('no')
      rolledBack('r1')
    })
    await new Promise(setImmediate)
    end()
    await codeOf(rollback)
    t.equal(await codeOf(deploy), expected)
    t.equal(change, fails ? 1 : 0)
  }
})
