import t from 'tap'
import {
  addNodeOptionsForApps,
  changeUserInEnvironment,
  isSpare,
  spareEnvironment,
  workerEnvironment,
} from '#src/config/app-environment.js'

void t.test('the variable that INCREMENT_VAR names has its value plus the number of the place', t => {
  t.strictSame(workerEnvironment(3000, 1, undefined, {}), { PORT: '3000', NODE_APP_INSTANCE: '1' })
  t.match(workerEnvironment(3000, 1, 'SHARD', { SHARD: '10' }), { SHARD: '11' })
  t.match(workerEnvironment(3000, 2, 'SHARD', {}), { SHARD: '2' })
  t.notMatch(workerEnvironment(3000, 2, 'SHARD', { SHARD: 'x' }), { SHARD: /./ }, 'a value that is no number stays')
  t.match(workerEnvironment(3000, 2, 'PORT', { PORT: '80' }), { PORT: '3000' }, 'all workers share the public port')
  t.end()
})

void t.test('options of node for the app come behind those of the person, and are kept from other processes', t => {
  const env: Record<string, string | undefined> = { NODE_OPTIONS: '--import tsx' }
  addNodeOptionsForApps(['--max-old-space-size=64'], env)
  t.strictSame(env, { OUTPOST_NODE_OPTIONS: '--import tsx --max-old-space-size=64' })
  addNodeOptionsForApps([], env)
  t.strictSame(env, { OUTPOST_NODE_OPTIONS: '--import tsx --max-old-space-size=64' })
  const none = {}
  addNodeOptionsForApps([], none)
  t.strictSame(none, {})
  t.end()
})

void t.test('a spare is known by its mark, which the app does not see', t => {
  const env: Record<string, string | undefined> = { ...spareEnvironment }
  t.equal(isSpare(env), true)
  t.strictSame(env, {})
  t.equal(isSpare(env), false)
  t.end()
})

void t.test('another user gets nothing of the session of root, and all that the person has set', t => {
  const session = {
    MAIL: '/var/mail/root',
    XDG_RUNTIME_DIR: '/run/user/0',
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/0/bus',
    SSH_AUTH_SOCK: '/tmp/ssh-1/agent.1',
  }
  const env = { ...session, HOME: '/root', USER: 'root', LOGNAME: 'root', SHELL: '/bin/bash', API_KEY: 'x' }
  const user = { HOME: '/home/app', SHELL: '/bin/sh' }
  const of = { uid: 1_000, home: user.HOME, shell: user.SHELL }
  const ownerOf = (path: string): number => (/1000|mine/.test(path) ? 1_000 : 0)
  const named: Record<string, string | undefined> = { ...env }
  changeUserInEnvironment({ name: 'app', ...of }, named, ownerOf)
  t.strictSame(named, { ...user, USER: 'app', LOGNAME: 'app', API_KEY: 'x' })
  const nameless: Record<string, string | undefined> = { ...env }
  changeUserInEnvironment({ name: '', ...of }, nameless, ownerOf)
  t.strictSame(nameless, { ...user, API_KEY: 'x' })

  const odd: Record<string, string | undefined> = {
    MAIL: 'x'.repeat(5_000),
    SSH_AUTH_SOCK: '',
    XDG_RUNTIME_DIR: '/a/b',
  }
  changeUserInEnvironment({ name: '', ...of }, odd)
  t.strictSame(odd, user, 'a value that is not a path is removed as well')

  const own = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/1000/bus,guid=1', SSH_AUTH_SOCK: '/tmp/mine/agent' }
  const kept: Record<string, string | undefined> = { ...own, XDG_RUNTIME_DIR: '/run/user/1000' }
  changeUserInEnvironment({ name: 'app', ...of }, kept, ownerOf)
  t.strictSame(kept, { ...user, USER: 'app', LOGNAME: 'app', ...own, XDG_RUNTIME_DIR: '/run/user/1000' })
  t.end()
})
