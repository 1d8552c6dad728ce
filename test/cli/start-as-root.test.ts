import fs from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Shell } from '../helpers/command.js'
import { hindrance, reaches } from '../helpers/other-user.js'

const USER = 64_325
const skip = hindrance(USER) || (reaches(USER, process.execPath) ? false : 'another user cannot read this Node')

const app = `
require('node:http').createServer((request, response) => response.end(String(process.getuid()))).listen(process.env.PORT)
`

function folderOfUser(t: Test): { shell: Shell; folder: string } {
  const shell = new Shell(t)
  fs.chmodSync(shell.folder, 0o755)
  const folder = join(shell.folder, 'shop')
  fs.mkdirSync(folder)
  fs.writeFileSync(join(folder, 'app.js'), app)
  fs.chownSync(folder, USER, USER)
  return { shell, folder }
}

void t.test('root starts the app of a user in the background, as that user', { skip }, async t => {
  const { shell, folder } = folderOfUser(t)
  const started = (await shell.json(['start', 'app.js', '-d'], { cwd: folder })) as { url: string }
  t.equal((await ask(started.url, '/')).text, String(USER))
  for (const path of ['.outpost', '.outpost/logs', '.outpost/logs/outpost.log']) {
    t.equal(fs.statSync(join(folder, path)).uid, USER, `${path} is the user's`)
  }
  t.match(await shell.run(['stop'], { cwd: folder }), { code: 0 })
})

void t.test('a background start by root writes to no file that the user has chosen', { skip }, async t => {
  const { shell, folder } = folderOfUser(t)
  const secret = join(shell.folder, 'secret')
  fs.writeFileSync(secret, 'of root', { mode: 0o600 })
  const logs = join(folder, '.outpost', 'logs')
  fs.mkdirSync(logs, { recursive: true, mode: 0o700 })
  fs.symlinkSync(secret, join(logs, 'start.log'))
  for (const path of [join(folder, '.outpost'), logs]) fs.chownSync(path, USER, USER)
  await shell.json(['start', 'app.js', '-d'], { cwd: folder })
  t.equal(fs.readFileSync(secret, 'utf8'), 'of root')
  t.match(await shell.run(['stop'], { cwd: folder }), { code: 0 })
})

void t.test('a background start by root that fails prints why, and leaves nothing', { skip }, async t => {
  const { shell, folder } = folderOfUser(t)
  const env = { TMPDIR: fs.mkdtempSync(join(shell.folder, 'tmp-')) }
  const { code, err } = await shell.run(['start', 'app.js', '-d'], {
    cwd: folder,
    env: { ...env, RUN_AS: 'no-such-user' },
  })
  t.equal(code, 78)
  t.match(err, 'there is no such user')
  t.strictSame(fs.readdirSync(env.TMPDIR), [])
})
