import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { program } from '../helpers/cluster.js'
import { within } from '../helpers/deadline.js'
import { temporaryFolder } from '../helpers/harness.js'
import { hindrance, nodeFor } from '../helpers/other-user.js'
import { strangers } from '../helpers/plain-node.js'

/** A user without a name: it has no entry in the list of users, and no HOME. */
const NOBODY = 54_321

/**
 * Everything but one folder is read-only, as in a read-only container. The program starts in the folder of the app, as
 * elsewhere. At the root it would keep a copy of everything.
 */
const READ_ONLY = `mount --rbind / /mnt && mount -o remount,bind,ro /mnt && mount -t tmpfs tmpfs "/mnt$1" &&
  chown ${NOBODY}:${NOBODY} "/mnt$1" && shift && exec chroot /mnt sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"`

const outOfReach = hindrance(NOBODY)
const canBeReadOnly =
  outOfReach === false &&
  spawnSync('unshare', ['-m', 'sh', '-c', READ_ONLY, 'sh', '/opt', 'true'], { stdio: 'ignore' }).status === 0

/** Runs the program as that user, has it answer a request, and stops it. */
async function servesAs(t: Test, APP: string, wrapper: readonly string[], dataDir: string): Promise<void> {
  // The test runner would have every process write beside its own modules.
  const command = [
    'env',
    '-u',
    'NODE_OPTIONS',
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    nodeFor(t, NOBODY),
    program,
  ]
  const [file = '', ...args] = [...wrapper, ...command]
  const { PATH = '' } = process.env
  const env = { PATH, APP, DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', WORKERS: '1' }
  const outpost = spawn(file, args, { env, cwd: strangers, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => outpost.kill('SIGKILL'))
  const lines: string[] = []
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [outpost.stdout, outpost.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        lines.push(line)
        const url = /public +(http:\S+)$/.exec(line)?.[1]
        if (url !== undefined) resolve(url)
      })
    }
    outpost.once('exit', () => reject(new Error(lines.join('\n'))))
  })
  t.match(await ask(await within(ready, 'the start', 30_000), '/'), { status: 200 })
  const ended = once(outpost, 'exit')
  outpost.kill('SIGTERM')
  t.strictSame(await within(ended, 'the end', 30_000), [0, null], 'it ends')
}

for (const [what, app] of Object.entries({ 'the built-in app': '', 'a plain app': join(strangers, 'arguments.cjs') })) {
  void t.test(`${what} starts for a user without a name and without HOME`, { skip: outOfReach }, async t => {
    const folder = temporaryFolder(t)
    chmodSync(folder, 0o700)
    chownSync(folder, NOBODY, NOBODY)
    await servesAs(t, app, [], folder)
  })

  void t.test(
    `${what} starts where only DATA_DIR can be written to`,
    { skip: outOfReach || (!canBeReadOnly && 'needs mounts') },
    async t => {
      await servesAs(t, app, ['unshare', '-m', 'sh', '-c', READ_ONLY, 'sh', '/opt'], '/opt/data')
    },
  )
}
