import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ask } from '../helpers/client.js'
import { command, Shell } from '../helpers/command.js'
import { appThatSays, folderOf } from '../helpers/releases.js'
import { noSshd, SshServer } from '../helpers/ssh-server.js'

void t.test('a folder is deployed over ssh, as an archive on standard input', { skip: noSshd }, async t => {
  const shell = new Shell(t)
  const app = folderOf(t, appThatSays('one'))
  const { url, dataDir } = (await shell.json(['start', app, '-d'])) as { url: string; dataDir: string }
  const bin = join(shell.folder, 'bin')
  mkdirSync(bin)
  symlinkSync(command, join(bin, 'outpost'))
  const PATH = `${bin}:${dirname(process.execPath)}:/usr/bin:/bin`
  const server = await SshServer.start(t, { PATH, XDG_STATE_HOME: shell.env['XDG_STATE_HOME'] ?? '' })
  /** Packs this folder, and sends it to the command there. */
  const deploy = async (cwd: string, pack: string, ...options: string[]) => {
    const script = `${pack} | "$@" outpost deploy - ${options.join(' ')}`
    const child = spawn('sh', ['-c', script, 'sh', ...server.words], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const printed = Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = (await once(child, 'close')) as [number | null]
    const [out, err] = await printed
    return { code, out, err }
  }
  const answer = async (): Promise<string> => (await ask(url, '/')).text

  await t.test('a deploy over ssh finds the only instance of the user, and prints its progress', async t => {
    const { code, out, err } = await deploy(folderOf(t, appThatSays('two')), 'tar c .', '--bake 1')
    t.equal(code, 0, out + err)
    t.match(out, /r1 is received: 2 files[\s\S]*20 % of the clients[\s\S]*r1 is live\n$/)
    t.equal(await answer(), 'two')
  })

  await t.test('DATA_DIR names the instance, and the archive may be compressed', async t => {
    const cwd = folderOf(t, appThatSays('three'))
    const { code, out, err } = await deploy(cwd, 'tar cz .', '--bake 0', '--data-dir', dataDir)
    t.equal(code, 0, out + err)
    t.equal(await answer(), 'three')
  })

  await t.test('a release that fails ends the command with 1', async t => {
    const broken = { 'package.json': '{}', 'index.js': 'console.log("no such table"); process.exit(3)' }
    const { code, err } = await deploy(folderOf(t, broken), 'tar c .', '--bake 0')
    t.equal(code, 1)
    t.match(err, /r3 is taken back[\s\S]*no such table/)
    t.equal(await answer(), 'three')
  })

  await t.test('an archive that ends too early is refused', async t => {
    const { code, err } = await deploy(folderOf(t, appThatSays('four')), 'tar c . | head -c 700', '--bake 0')
    t.equal(code, 1)
    t.match(err, /refused|not a complete tar/)
    t.equal(await answer(), 'three')
  })
})
