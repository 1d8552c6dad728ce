import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { Cluster } from '../helpers/cluster.js'
import { until } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { RedisServer } from '../helpers/redis-server.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'

/** Longer than until the next full minute. */
const NEXT_MINUTE_MS = 75_000

void t.test('one of two machines with one Redis runs a job at its time, in the live release', async t => {
  const ran = join(temporaryFolder(t), 'ran')
  const app = (name: string): Record<string, string> => ({
    ...appThatSays(name),
    Procfile: `cron: * * * * * sh -c 'echo $(date +%M) ${name} >> ${ran}; echo said by ${name}'\n`,
  })
  const redis = await RedisServer.start(t)
  const machines = await Promise.all(
    [1, 2].map(() => {
      const folder = folderOf(t, app('old'))
      const settings = { APP: folder, WORKERS: '1', BALANCERS: '0', REDIS_URL: redis.url, LOG_LEVEL: 'debug' }
      return Cluster.start(t, settings, undefined, folder)
    }),
  )
  for (const machine of machines) await deploy(t, machine, app('new'))
  const clients = await Promise.all(machines.map(({ dataDir }) => ControlClient.of(dataDir)))
  const elsewhere = (): boolean => machines.some(({ lines }) => lines.some(line => /by another instance/.test(line)))
  const lines = (): string[] => (existsSync(ran) ? readFileSync(ran, 'utf8').trim().split('\n') : [])
  await until(() => lines().some(line => line.endsWith(' new')) && elsewhere(), 'a run', NEXT_MINUTE_MS)
  // A minute may have begun before both had the new release, whose job is another one.
  t.equal(new Set(lines()).size, lines().length, 'one run of each job at a time')
  const ofNew = (): string[] => lines().filter(line => line.endsWith(' new'))
  const runs = async (): Promise<unknown[]> => {
    const statuses = await Promise.all(clients.map(client => client.status()))
    return statuses.flatMap(({ cron }) => cron?.[0]?.runs ?? [])
  }
  await until(async () => (await runs()).length === ofNew().length, 'its history')
  for (const run of await runs()) t.match(run, { result: 'exit code 0' })
  t.match(await clients[0]!.status(), { cron: [{ name: 'cron.1', schedule: '* * * * *', timeZone: 'UTC' }] })
  t.ok(machines.some(({ lines }) => lines.includes('[cron.1] said by new')))
})
