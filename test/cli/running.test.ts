import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { statusSchema } from '#src/control/protocol.js'
import { Shell } from '../helpers/command.js'
import { until } from '../helpers/deadline.js'

const APP = `export default (request, response) => response.end('one')`
const BROKEN = `console.log('will break'); throw new Error('broken')`

void t.test('commands show and change a running instance', async t => {
  const shell = new Shell(t)
  const cwd = join(shell.folder, 'shop')
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'app.mjs'), APP)
  await shell.json(['start', 'app.mjs', '-d', '-w', '2'], { cwd })
  const status = async (): Promise<ReturnType<typeof statusSchema.parse>> =>
    statusSchema.strict().parse(await shell.json(['status'], { cwd }))
  const ready = async (): Promise<number> =>
    (await status()).processes.filter(({ role, state }) => role === 'worker' && state === 'ready').length

  await t.test('status shows every process in a line, and as JSON what the control API tells', async t => {
    t.match(await status(), { state: 'serving', wanted: { workers: 2, balancers: 1 } })
    const { code, out, err } = await shell.run(['ls'], { cwd })
    t.strictSame([code, err], [0, ''])
    t.match(out, /^Outpost \S+ is serving http:\/\/127\.0\.0\.1:\d+ \(pid \d+, up /)
    t.match(out, /^PROCESS .* RESTARTS .*REQ\/S$/m)
    for (const name of ['balancer 1', 'worker 1', 'worker 2']) t.match(out, new RegExp(`^${name} .* ready `, 'm'))
  })

  await t.test('a reload reports each worker and its end', async t => {
    const { code, out, err } = await shell.run(['reload'], { cwd })
    t.strictSame([code, err], [0, ''])
    t.match(out, /^worker \d+ is replaced \(1 of 2\)\nworker \d+ is replaced \(2 of 2\)\n2 workers replaced\n$/)
    const events = (await shell.run(['reload', '--json'], { cwd })).out.trim().split('\n')
    t.match(
      events.map(line => JSON.parse(line) as object),
      [{ event: 'replaced' }, { event: 'replaced' }, { event: 'done', replaced: 2 }],
    )
  })

  await t.test(
    'a failed reload ends with the reason, the last output and exit code 1, and the old workers keep serving',
    async t => {
      writeFileSync(join(cwd, 'app.mjs'), BROKEN)
      const { code, out, err } = await shell.run(['reload'], { cwd })
      t.strictSame([code, out], [1, ''])
      t.match(
        err,
        /^outpost: the new worker \d+ did not become ready .*the old workers keep serving\n(.*\n)* {2}will break\n/,
      )
      const json = await shell.run(['reload', '--json'], { cwd })
      t.match({ code: json.code, ...(JSON.parse(json.out) as object) }, { code: 1, error: { code: 'RELOAD_FAILED' } })
      t.equal(await ready(), 2)
      writeFileSync(join(cwd, 'app.mjs'), APP)
    },
  )

  await t.test('token makes tokens, shows them without what is secret, and revokes them', async t => {
    const { code, out, err } = await shell.run(['token', 'create', 'ci'], { cwd })
    t.equal(code, 0)
    t.match(out, /^outpost_[\w-]{43}\n$/)
    const [, id = ''] =
      /^outpost: token (\w+) is shown this once; start with ADMIN_PORT=9090 to use it\n$/.exec(err) ?? []
    t.match(await shell.json(['token', 'list'], { cwd }), { tokens: [{ id, name: 'ci' }] })
    t.notOk((await shell.run(['token', 'list'], { cwd })).out.includes(out.trim()))
    t.match(await shell.run(['token', 'revoke'], { cwd }), { code: 64, err: /needs the id of a token/ })
    t.strictSame(await shell.json(['token', 'revoke', id], { cwd }), { revoked: id })
    t.match(await shell.run(['token', 'revoke', id], { cwd }), { code: 1, err: /no such token/ })
    t.strictSame(await shell.json(['token', 'list'], { cwd }), { tokens: [] })
  })

  await t.test('scale by the name of a process needs one in the Procfile', async t => {
    t.match(await shell.run(['scale', 'mailer=2'], { cwd }), { code: 1, err: /no process mailer/ })
    t.match(await shell.run(['scale', 'mailer='], { cwd }), { code: 64 })
  })

  await t.test('scale takes a number, or a change of it', async t => {
    t.strictSame(await shell.json(['scale', '3'], { cwd }), { workers: 3, balancers: 1 })
    await until(async () => (await ready()) === 3, 'three workers')
    t.match(await shell.run(['scale', '-2'], { cwd }), {
      code: 0,
      out: '1 worker is wanted from now on; 3 ran before\n',
    })
    t.strictSame(await shell.json(['scale', '+1', '--balancers', '2'], { cwd }), { workers: 2, balancers: 2 })
    t.strictSame(await shell.json(['scale', '-9'], { cwd }), { workers: 1, balancers: 2 }, 'never to none')
    t.strictSame(await shell.json(['scale', '--balancers', '1'], { cwd }), { workers: 1, balancers: 1 })
    t.match(await shell.run(['scale'], { cwd }), { code: 64, err: /scale needs a number of workers/ })
    t.match(await shell.run(['scale', '1', '--balancers', '0'], { cwd }), { code: 1, err: /mesh mode/ })
  })

  await t.test('a stop is over when another instance could start', async t => {
    const { pid } = await status()
    t.strictSame(await shell.json(['stop'], { cwd }), { stopped: true, pid })
    t.strictSame(shell.instances(), [])
    t.match(await shell.run(['stop'], { cwd }), { code: 69, err: /no Outpost runs on .*: outpost start starts one/ })
    await shell.json(['start', 'app.mjs', '-d'], { cwd })
  })
})

void t.test('a reload counts the workers of a release that is kept warm, too', async t => {
  const shell = new Shell(t)
  writeFileSync(join(shell.folder, 'app.mjs'), APP)
  await shell.json(['start', 'app.mjs', '-d'])
  t.match(await shell.run(['deploy', '.', '--bake', '0']), { code: 0 })
  const { code, out } = await shell.run(['reload'])
  t.equal(code, 0)
  t.match(out, /\(2 of 2\)\n2 workers replaced\n$/)
})
