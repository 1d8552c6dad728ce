import fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Shell } from '../helpers/command.js'
import { fixture } from '../helpers/fixtures.js'

const skip = process.getuid?.() !== 0 && 'needs root'
const USER = 64_321

void t.test('root runs a command as root only in an instance that is root’s', { skip }, async t => {
  const shell = new Shell(t)
  const dataDir = join(shell.folder, '.outpost')
  await shell.json(['start', fixture('handler-app.js'), '-d'], { env: { RUN_AS: 'root' } })
  const run = (dataDir: string) => shell.run(['run', '--data-dir', dataDir, '--', 'sh', '-c', 'echo ran as $(id -u)'])
  t.match(await run(dataDir), { code: 0, out: 'ran as 0\n' }, 'an instance of root')

  await t.test('root runs no command where a user could lead it to another instance', async t => {
    const users = join(shell.folder, 'users')
    fs.mkdirSync(users)
    fs.symlinkSync(dataDir, join(users, 'link'))
    fs.chownSync(users, USER, USER)
    const { code, out, err } = await run(join(users, 'link'))
    t.strictSame({ code, out }, { code: 64, out: '' })
    t.match(err, /others than root may write to .*: nothing was run/)
  })

  await t.test('root runs no command with the environment from a socket of another user', async t => {
    const socket = join(dataDir, 'run', 'control.sock')
    fs.chownSync(socket, USER, USER)
    const { code, out, err } = await run(dataDir)
    fs.chownSync(socket, 0, 0)
    t.strictSame({ code, out }, { code: 64, out: '' })
    t.match(err, /control\.sock is not: nothing was run/)
  })
})
