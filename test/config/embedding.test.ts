import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '#src/config/config.js'
import { embedsAtStart, hasServerOfItsOwn, mayEmbed } from '#src/config/embedding.js'
import { temporaryFolder } from '../helpers/harness.js'

/** An app in a folder below its package.json. */
function appWith(t: Test, dependencies: object): string {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'src'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ dependencies, devDependencies: { minio: '8' } }))
  const app = join(folder, 'src', 'server.js')
  writeFileSync(app, '')
  return app
}

function started(env: Record<string, string>): string {
  const config = readConfig(env)
  return (['redis', 'storage'] as const).filter(service => embedsAtStart(config, service, env)).join()
}

void t.test('servers are started for the built-in app, and for an app whose package.json names a client', t => {
  t.equal(started({}), 'redis,storage')
  t.equal(started({ APP: appWith(t, { express: '5' }) }), '')
  t.equal(started({ APP: appWith(t, { bullmq: '5' }) }), 'redis')
  t.equal(started({ APP: appWith(t, { '@aws-sdk/client-s3': '3', redis: '5' }) }), 'redis,storage')
  t.end()
})

void t.test('EMBED decides where it is set', t => {
  const APP = appWith(t, { redis: '5' })
  t.equal(started({ APP, EMBED: 'none' }), '')
  t.equal(started({ APP, EMBED: 'storage' }), 'storage')
  t.equal(started({ APP, EMBED: 'all' }), 'redis,storage')
  t.throws(() => readConfig({ EMBED: 'none' }), {
    message: /EMBED=none: must be auto or all.*REDIS_URL and S3_ENDPOINT/,
  })
  t.throws(() => readConfig({ EMBED: 'redis' }), { message: /without S3_ENDPOINT$/ })
  t.end()
})

void t.test('no server is started where another one is named', t => {
  const APP = appWith(t, { redis: '5', minio: '8' })
  const S3 = { S3_ENDPOINT: 'https://s3.example', S3_ACCESS_KEY: 'a', S3_SECRET_KEY: 'b' }
  t.equal(started({ APP, REDIS_URL: 'redis://r.example' }), 'storage')
  t.equal(started({ APP, REDIS_URL: 'r.example:6379' }), 'storage', 'in any form')
  t.equal(started({ APP, ...S3 }), 'redis')
  t.notOk(mayEmbed(readConfig({ APP, ...S3 }), 'storage'))
  t.ok(mayEmbed(readConfig({ APP }), 'storage'), 'it may be used later')
  t.ok(hasServerOfItsOwn('storage', { S3_SECRET_KEY: 'b' }))
  t.notOk(hasServerOfItsOwn('redis', { REDIS_URL: '' }))
  t.end()
})
