import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ecosystemLaunch, isEcosystemFile } from '#src/cli/pm2/ecosystem.js'
import { temporaryFolder, type Harness } from '../../helpers/harness.js'

/** The path of an ecosystem file beside its script. */
function fileWith(t: Harness, content: string, name = 'ecosystem.config.js'): { file: string; folder: string } {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'app.js'), '')
  writeFileSync(join(folder, name), content)
  return { file: join(folder, name), folder }
}

const args: string[] = []

/** As the guide has it. */
const GUIDE = `
module.exports = {
apps: [{
name: "express-app",
script: "app.js",
instances: "max", // Use maximum available CPU cores
exec_mode: "cluster",
env: {
NODE_ENV: "development",
},
env_production: {
NODE_ENV: "production",
}
}]
};
`

void t.test('the file of the guide is understood without a remark', async t => {
  const { file, folder } = fileWith(t, GUIDE)
  const settings = { WORKERS: 'auto', APP: join(folder, 'app.js') }
  t.strictSame(await ecosystemLaunch(file, { args }), {
    settings,
    env: { NODE_ENV: 'development' },
    nodeOptions: [],
    notes: [],
    cwd: folder,
  })
  t.match(await ecosystemLaunch(file, { args, env: 'production' }), {
    settings,
    env: { NODE_ENV: 'production' },
    notes: [],
  })
})

void t.test('an app without instances is one worker, as in PM2', async t => {
  const { file } = fileWith(t, `module.exports = { apps: [{ script: './app.js' }] }`)
  t.equal((await ecosystemLaunch(file, { args })).settings['WORKERS'], '1')
})

void t.test('variables are texts, and those of --env come over the others', async t => {
  const app = `{ script: 'app.js', env: { A: 1, B: true, C: { d: 1 }, E: null, F: 'f' }, env_x: { F: 'x' }, port: 81 }`
  const { file } = fileWith(t, `module.exports = ${app}`)
  t.strictSame((await ecosystemLaunch(file, { args, env: 'x' })).env, {
    A: '1',
    B: 'true',
    C: '{"d":1}',
    F: 'x',
    PORT: '81',
  })
  const { notes } = await ecosystemLaunch(file, { args, env: 'y' })
  t.strictSame(notes, ['ecosystem.config.js: env_y has no effect: the file has no such environment'])
})

void t.test('arguments of the command take the place of those in the file', async t => {
  const { file } = fileWith(t, `module.exports = { script: 'app.js', args: '--of-the-file' }`)
  t.equal((await ecosystemLaunch(file, { args })).settings['APP_ARGS'], `'--of-the-file'`)
  t.equal((await ecosystemLaunch(file, { args: ['--typed'] })).settings['APP_ARGS'], `'--typed'`)
})

void t.test('the script is found from cwd, where the command was typed, or beside the file', async t => {
  const { file, folder } = fileWith(t, `module.exports = { script: 'app.js', cwd: 'sub' }`)
  mkdirSync(join(folder, 'sub'))
  writeFileSync(join(folder, 'sub', 'app.js'), '')
  t.match(await ecosystemLaunch(file, { args }), {
    cwd: join(folder, 'sub'),
    settings: { APP: join(folder, 'sub/app.js') },
  })
  const typed = fileWith(t, `module.exports = { script: 'package.json' }`)
  t.equal((await ecosystemLaunch(typed.file, { args })).cwd, process.cwd())
  const nowhere = fileWith(t, `module.exports = { script: 'nowhere.js' }`)
  await t.rejects(ecosystemLaunch(nowhere.file, { args }), { exitCode: 78, message: /script nowhere.js is not in / })
})

void t.test('one of several apps is chosen', async t => {
  const { file } = fileWith(
    t,
    `module.exports = { apps: [{ name: 'web', script: 'app.js' }, { name: 'jobs', script: 'app.js', instances: 4 }] }`,
  )
  await t.rejects(ecosystemLaunch(file, { args, env: 'production' }), {
    exitCode: 64,
    message: new RegExp(
      `has 2 apps, and an instance runs one: start each by itself\n` +
        `  outpost start ${file} --env production --only web --data-dir \\.outpost-web\n` +
        `  outpost start ${file} --env production --only jobs --data-dir \\.outpost-jobs$`,
    ),
  })
  t.equal((await ecosystemLaunch(file, { args, only: 'jobs' })).settings['WORKERS'], '4')
  await t.rejects(ecosystemLaunch(file, { args, only: 'api' }), {
    exitCode: 64,
    message: /has no app api: it has web, jobs/,
  })
  const unnamed = fileWith(t, `module.exports = { apps: [{ script: './app.js' }, { script: 'lib/jobs.js' }] }`)
  await t.rejects(
    ecosystemLaunch(unnamed.file, { args }),
    { message: /--only app .*\n.*--only jobs / },
    'by the names of their scripts',
  )
  t.equal((await ecosystemLaunch(unnamed.file, { args, only: 'app' })).settings['WORKERS'], '1')
})

void t.test('all forms of the file that PM2 reads are read, but YAML', async t => {
  const app = `{ "script": "app.js" }`
  for (const [name, content] of [
    ['pm2.json', `{ "apps": [${app}] }`],
    ['process.json', app],
    ['list.json', `[${app}]`],
    ['ecosystem.config.cjs', `module.exports = { apps: ${app} }`],
    ['ecosystem.config.mjs', `export default { apps: [${app}] }`],
    ['named.config.mjs', `export const apps = [${app}]`],
  ] as const) {
    const { file, folder } = fileWith(t, content, name)
    t.ok(isEcosystemFile(file), name)
    t.equal((await ecosystemLaunch(file, { args })).settings['APP'], join(folder, 'app.js'), name)
  }
  for (const [name, content, message] of [
    ['pm2.yml', 'apps: []', /YAML is not supported/],
    ['broken.json', '{', /cannot be read/],
    ['empty.json', '{}', /has no app with a script/],
    ['wrong.config.js', 'module.exports = {\n  apps: [ }', /cannot be read: Unexpected token '}' \(line 2\)$/],
    ['throws.config.js', 'throw new Error("no keys")', /cannot be read: no keys/],
  ] as const) {
    await t.rejects(ecosystemLaunch(fileWith(t, content, name).file, { args }), { exitCode: 78, message }, name)
  }
  for (const name of ['server.js', 'shop', 'config.js', 'server.mjs']) t.notOk(isEcosystemFile(name), name)
})

void t.test('a file that does not exist is said to be missing', async t => {
  const missing = join(temporaryFolder(t), 'none.config.js')
  await t.rejects(ecosystemLaunch(missing, { args }), {
    message: 'none.config.js cannot be read: no such file',
  })
})

void t.test('a script with spaces is a command line, as in PM2, unless there is such a file', async t => {
  const launchOf = (fields: string): ReturnType<typeof ecosystemLaunch> => {
    const { file, folder } = fileWith(t, `module.exports = { cwd: __dirname, ${fields} }`)
    writeFileSync(join(folder, 'package.json'), '{}')
    writeFileSync(join(folder, 'my app.js'), '')
    return ecosystemLaunch(file, { args })
  }
  const byNode = await launchOf(`script: 'node app.js --port "a b"', args: ['-x']`)
  t.match(byNode.settings, { APP: join(byNode.cwd ?? '', 'app.js'), APP_ARGS: `'--port' 'a b' '-x'` })
  for (const script of ['npm start', 'yarn run start']) {
    const { settings, cwd } = await launchOf(`script: '${script}'`)
    t.strictSame(settings, { WORKERS: '1', APP: cwd })
  }
  const file = await launchOf(`script: 'my app.js'`)
  t.equal(file.settings['APP'], join(file.cwd ?? '', 'my app.js'))
  for (const script of ['node -r x app.js', 'python app.py', 'npm run start:prod'])
    await t.rejects(launchOf(`script: '${script}'`), { exitCode: 78, message: / is not in / }, script)
})

void t.test('a path in env_file does not stop the start, and the remark names the option', async t => {
  const { file } = fileWith(t, `module.exports = { script: 'app.js', env_file: '.env', node_args: '--env-file=.env' }`)
  const { notes } = await ecosystemLaunch(file, { args })
  t.match(notes, [/env_file has no effect: outpost start --env-file reads/, /NODE_OPTIONS; outpost start --env-file/])
})

void t.test('each remark names the file and the field', async t => {
  const { file } = fileWith(t, `module.exports = { apps: [{ script: 'app.js', restart_delay: 9 }], deploy: {} }`)
  const { notes } = await ecosystemLaunch(file, { args })
  t.match(notes, [
    /^ecosystem\.config\.js: deploy has no effect: /,
    /^ecosystem\.config\.js: restart_delay has no effect: a worker that exits early/,
  ])
})

void t.test('a function is called, and may be async', async t => {
  for (const word of ['', 'async ']) {
    const { file } = fileWith(t, `module.exports = ${word}() => ({ apps: [{ script: 'app.js', env: { A: 'f' } }] })`)
    t.match(await ecosystemLaunch(file, { args }), { env: { A: 'f' } })
  }
  const { file } = fileWith(t, `module.exports = () => { throw new Error('not here') }`)
  await t.rejects(ecosystemLaunch(file, { args }), { message: 'ecosystem.config.js cannot be read: not here' })
})

void t.test('the start script of a package manager is that of the folder', async t => {
  for (const app of [
    `script: 'npm', args: 'start'`,
    `script: 'npm', args: ['run', 'start'], interpreter: 'none'`,
    `script: 'yarn', args: 'start'`,
  ]) {
    const { file, folder } = fileWith(t, `module.exports = { apps: [{ cwd: __dirname, ${app} }] }`)
    await t.rejects(
      ecosystemLaunch(file, { args }),
      { message: /script (npm|yarn) is not in/ },
      'without a package.json',
    )
    writeFileSync(join(folder, 'package.json'), '{"scripts":{"start":"node app.js"}}')
    t.strictSame(await ecosystemLaunch(file, { args }), {
      settings: { WORKERS: '1', APP: folder },
      env: {},
      nodeOptions: [],
      notes: [],
      cwd: folder,
    })
  }
  const { file } = fileWith(t, `module.exports = { apps: [{ script: 'npm', args: 'run serve' }] }`)
  await t.rejects(ecosystemLaunch(file, { args }), { message: /script npm is not in .*: name the file that it runs/ })
})

void t.test('all values that cannot be used are named together', async t => {
  const app = `{ script: 'app.js', instances: 'lots', max_memory_restart: 'huge', kill_timeout: 'x' }`
  const { file } = fileWith(t, `module.exports = ${app}`)
  await t.rejects(ecosystemLaunch(file, { args }), {
    message: /instances: "lots".*; max_memory.*"huge".*; kill_timeout: "x"/,
  })
  const other = fileWith(t, `module.exports = { script: 'app.js', env: 'no', env_x: [1] }`)
  const message = 'env: "no" must be an object with variables; env_x: [1] must be an object with variables'
  await t.rejects(ecosystemLaunch(other.file, { args }), { message })
})
