import { spawn, type ChildProcess } from 'node:child_process'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { ManagedServer, probeFailure, type ProbeResult } from '#src/primary/embedded/managed-server.js'
import { until, within } from '../../helpers/deadline.js'
import { isAlive } from '../../helpers/processes.js'

interface Stage {
  server: ManagedServer
  /** Pids of all processes that were started, in order. */
  pids: number[]
  /** Messages that were logged. */
  messages: string[]
  /** Answers of the probe, the last of them for ever. */
  probes: ProbeResult[]
}

function prepare(t: Test, command: () => ChildProcess = sleeper, stopTimeoutMs = 5_000): Stage {
  const pids: number[] = []
  const messages: string[] = []
  const probes: ProbeResult[] = ['serves']
  const destination = { write: (line: string) => messages.push((JSON.parse(line) as { msg: string }).msg) }
  const server = new ManagedServer({
    name: 'thing',
    command() {
      const child = command()
      if (child.pid !== undefined) pids.push(child.pid)
      return child
    },
    probe: () => Promise.resolve(probes.length > 1 ? probes.shift()! : probes[0]!),
    stopTimeoutMs: () => stopTimeoutMs,
    log: pino({ level: 'info' }, destination),
  })
  t.teardown(() => server.stop())
  return { server, pids, messages, probes }
}

function sleeper(): ChildProcess {
  return spawn('sleep', ['60'], { detached: true })
}

function deaf(): ChildProcess {
  return spawn('sh', ['-c', 'trap "" TERM; while :; do sleep 60; done'], { detached: true })
}

const failures: Array<[how: string, start: () => ChildProcess]> = [
  ['is not found', () => spawn('/no/such/server')],
  [
    'cannot be forked',
    () => {
      throw new Error('spawn ENOMEM')
    },
  ],
]

for (const [how, start] of failures) {
  void t.test(`a server that ${how} is tried again and does not delay a stop`, async t => {
    let tries = 0
    const { server } = prepare(t, () => {
      tries += 1
      return start()
    })
    await server.start()
    await until(() => tries >= 2, 'the second try')
    await t.resolves(within(server.stop(), 'the stop'))
  })
}

void t.test('a server that was killed is restarted', async t => {
  const { server, pids, messages } = prepare(t)
  await server.start()
  t.ok(await server.serving(5_000))
  process.kill(pids[0]!, 'SIGKILL')
  await until(() => pids.length === 2, 'the second process')
  t.strictSame(messages, ['thing exited and is restarted'])
  t.ok(await server.serving(5_000))
})

void t.test('a server that leaves ten probes unanswered is killed and restarted', async t => {
  const { server, pids, messages, probes } = prepare(t)
  probes.unshift('busy', ...Array.from({ length: 10 }, () => 'silent' as const))
  await server.start()
  await until(() => pids.length === 2, 'the second process')
  t.strictSame(messages, ['thing does not answer and is killed', 'thing exited and is restarted'])
  t.notOk(isAlive(pids[0]!))
})

void t.test('a server may be silent until its first answer, and between answers', async t => {
  const { server, pids, probes } = prepare(t)
  const nine = Array.from({ length: 9 }, () => 'silent' as const)
  probes.unshift(...nine, ...nine, 'busy', ...nine, 'busy', ...nine)
  await server.start()
  t.ok(await server.serving(20_000))
  t.equal(pids.length, 1)
})

void t.test('a probe that could not be sent says nothing of the server', async t => {
  const { server, pids, probes } = prepare(t)
  const nine = Array.from({ length: 9 }, () => 'silent' as const)
  probes.unshift('busy', ...nine, 'unasked', 'unasked', 'busy', ...nine)
  await server.start()
  t.ok(await server.serving(20_000))
  t.equal(pids.length, 1)
  t.equal(probeFailure(Object.assign(new Error(), { code: 'EMFILE' })), 'unasked')
  t.equal(probeFailure(Object.assign(new Error(), { code: 'ECONNREFUSED' })), 'silent')
})

void t.test('a stop is idempotent, and kills at its deadline a server that ignores SIGTERM', async t => {
  const { server, pids, messages } = prepare(t, deaf, 100)
  await server.start()
  t.ok(await server.serving(5_000))
  await within(Promise.all([server.stop(), server.stop()]), 'the stop')
  await until(() => !isAlive(pids[0]!), 'its end')
  t.strictSame(messages, [], 'nothing is restarted')
  t.equal(pids.length, 1)
})
