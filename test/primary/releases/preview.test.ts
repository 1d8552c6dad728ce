import t from 'tap'
import type { Fault, LostWorker } from '#src/primary/releases/fault.js'
import { Preview } from '#src/primary/releases/preview.js'

const END = 10_000

function given(): { preview: Preview; told: string[] } {
  const told: string[] = []
  const watcher = {
    ready: () => void told.push('ready'),
    failed: ({ reason }: Fault) => void told.push(reason),
    ended: () => void told.push('ended'),
  }
  return { preview: new Preview({ release: 'r2', watcher }, END), told }
}

const lost = (facts: Partial<LostWorker>): LostWorker => {
  return { name: 'worker 3', release: 'r2', ending: 'exit code 1', servedMs: 0, early: true, ...facts }
}

void t.test('a preview is ready once its worker is proven, and is reported once', t => {
  const { preview, told } = given()
  t.strictSame(preview.wanted, { id: 'r2', workers: 1, share: 0 })
  t.ok(preview.observe(false, 0))
  t.equal(preview.due, END)
  t.notOk(preview.isReady)
  t.ok(preview.observe(true, 1))
  t.ok(preview.observe(false, END + 1), 'a worker that is replaced changes nothing')
  t.strictSame([told, preview.isReady, preview.due], [['ready'], true, Infinity])
  t.end()
})

void t.test('a preview whose worker is not proven in time fails', t => {
  const { preview, told } = given()
  t.notOk(preview.observe(false, END))
  t.notOk(preview.observe(true, END + 1))
  t.strictSame(told, ['its worker was not found healthy in time'])
  t.end()
})

void t.test('a preview whose worker gets more time does not fail before', t => {
  const { preview, told } = given()
  preview.postpone(END - 1)
  t.equal(preview.due, END)
  preview.postpone(END + 5)
  t.ok(preview.observe(false, END))
  t.equal(preview.due, END + 5)
  t.notOk(preview.observe(false, END + 5))
  t.strictSame(told, ['its worker was not found healthy in time'])
  t.end()
})

void t.test('a worker that does not become ready or does not last ends a preview, any other is replaced', t => {
  const starting = given()
  starting.preview.lost(lost({ release: 'r1' }))
  t.strictSame(starting.told, [])
  starting.preview.lost(lost({}))
  starting.preview.lost(lost({}))
  t.strictSame(starting.told, ['the new worker 3 did not become ready (exit code 1)'])
  t.notOk(starting.preview.observe(true, 1))

  const ready = given()
  ready.preview.observe(true, 1)
  ready.preview.lost(lost({ servedMs: 60_000, early: false }))
  t.ok(ready.preview.observe(true, 2))
  ready.preview.lost(lost({ servedMs: 10 }))
  t.notOk(ready.preview.observe(true, 3))
  t.strictSame(ready.told, ['ready', 'the new worker 3 did not last (exit code 1)'])
  t.end()
})

void t.test('a preview that is replaced before it is ready has failed', t => {
  const { preview, told } = given()
  preview.end('another release was wanted')
  t.strictSame(told, ['another release was wanted', 'ended'])
  const ready = given()
  ready.preview.observe(true, 1)
  ready.preview.end('another release was wanted')
  t.strictSame(ready.told, ['ready', 'ended'])
  t.end()
})

void t.test('a preview that cannot be recorded fails', t => {
  const told: string[] = []
  const ready = (): void => {
    throw new Error('the disk is full')
  }
  const failed = ({ reason }: Fault): void => void told.push(reason)
  const preview = new Preview({ release: 'r2', watcher: { ready, failed, ended: () => undefined } }, END)
  t.notOk(preview.observe(true, 1))
  t.strictSame(told, ['it could not be recorded: the disk is full'])
  t.end()
})
