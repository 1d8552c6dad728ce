import { spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { temporaryFolder } from '../helpers/harness.js'
import { freePort } from '#scripts/lib/free-port.js'
import { MODES } from '../helpers/modes.js'

const INSTALL_MS = 300_000

/** A Nest app as its compiler leaves it. */
const NEST = `
require('reflect-metadata')
const { Controller, Get, Module } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')

class AppController {
  hello() { return 'Hello World!' }
  onModuleDestroy() { console.log('module is destroyed') }
}
Get()(AppController.prototype, 'hello', Object.getOwnPropertyDescriptor(AppController.prototype, 'hello'))
Controller()(AppController)
class AppModule {}
Module({ controllers: [AppController] })(AppModule)

NestFactory.create(AppModule).then(app => app.enableShutdownHooks().listen(process.env.PORT ?? 3000))
`

interface Bin {
  /** Installed from npm. */
  packages: string[]
  /** Puts files beside node_modules, and returns what is started. */
  prepare(folder: string): string
  args?: (port: number) => string
  path: string
  answer: RegExp
  /** In the log at the end. */
  last?: RegExp
}

/** Programs as people start them. */
const bins: Record<string, Bin> = {
  'express-generator': {
    packages: ['express-generator', 'express@4', 'debug', 'morgan', 'http-errors@1', 'cookie-parser', 'pug'],
    prepare(folder) {
      run(folder, process.execPath, [
        join(folder, 'node_modules/express-generator/bin/express-cli.js'),
        '--view=pug',
        'shop',
      ])
      return join(folder, 'shop')
    },
    path: '/',
    answer: /Welcome to Express/,
  },
  Nest: {
    packages: ['@nestjs/core', '@nestjs/common', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'],
    prepare(folder) {
      mkdirSync(join(folder, 'dist'))
      writeFileSync(join(folder, 'dist/main.js'), NEST)
      return join(folder, 'dist/main.js')
    },
    path: '/',
    answer: /^Hello World!$/,
    last: /module is destroyed/,
  },
  'Node-RED': {
    packages: ['node-red'],
    prepare: folder => join(folder, 'node_modules/node-red/red.js'),
    args: () => '--userDir red-data',
    path: '/',
    answer: /<title>Node-RED<\/title>/,
  },
  'json-server': {
    packages: ['json-server@0.17'],
    prepare(folder) {
      writeFileSync(join(folder, 'db.json'), JSON.stringify({ posts: [{ id: 1, title: 'first' }] }))
      return join(folder, 'node_modules/json-server/lib/cli/bin.js')
    },
    args: port => `db.json --port ${port}`,
    path: '/posts/1',
    answer: /"title": "first"/,
  },
  verdaccio: {
    packages: ['verdaccio'],
    prepare: folder => join(folder, 'node_modules/verdaccio/bin/verdaccio'),
    args: port => `--listen ${port}`,
    path: '/-/ping',
    answer: /^\{\}\n$/,
  },
}

function run(cwd: string, file: string, args: string[]): string | undefined {
  const { status, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8', timeout: INSTALL_MS })
  return status === 0 ? undefined : (error?.message ?? stderr)
}

/** @returns why the packages cannot be had */
function install(folder: string, packages: string[]): string | undefined {
  // Some registries lack a version that verdaccio names by a tag.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides: { 'node-fetch': '2.7.0' } }))
  const options = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts', '--fetch-retries=0']
  return run(folder, 'npm', ['install', ...options, ...packages])
}

async function serves(t: Test, folder: string, APP: string, bin: Bin, BALANCERS: string): Promise<void> {
  const port = await freePort()
  const env = { APP, BALANCERS, HOST: '', HOME: folder, PORT: String(port), APP_ARGS: bin.args?.(port) ?? '' }
  // Some of them give their processes a title of their own.
  const cluster = Cluster.spawn(t, env, undefined, folder)
  await cluster.serving()
  const answer = await ask(`http://127.0.0.1:${port}`, bin.path)
  t.equal(answer.status, 200)
  t.match(answer.text, bin.answer)
  await cluster.reload()
  t.match(await ask(`http://127.0.0.1:${port}`, bin.path), { status: 200 }, 'after a reload')
  t.match(await cluster.stop(), { code: 0 })
  if (bin.last !== undefined) await cluster.printed(bin.last)
}

for (const [name, bin] of Object.entries(bins)) {
  void t.test(`${name} starts by its own bin and answers`, async t => {
    const folder = realpathSync(temporaryFolder(t))
    const fault = install(folder, bin.packages)
    if (fault !== undefined) {
      t.pass(`npm cannot install ${bin.packages.join(', ')}: ${fault}`, { skip: true })
      return
    }
    const app = bin.prepare(folder)
    for (const [mode, balancers] of Object.entries(MODES)) {
      await t.test(mode, t => serves(t, folder, app, bin, balancers))
    }
  })
}
