import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask, bearer, jsonOf, type Answer } from '../helpers/client.js'
import { Cluster, failureOf } from '../helpers/cluster.js'
import { appThatSays, folderOf } from '../helpers/releases.js'

void t.test('a client with a token may use the control API on ADMIN_PORT', async t => {
  const folder = folderOf(t, appThatSays('hello'))
  const cluster = await Cluster.start(
    t,
    { APP: folder, WORKERS: '1', BALANCERS: '0', ADMIN_PORT: '0' },
    undefined,
    folder,
  )
  const client = await ControlClient.of(cluster.dataDir)
  const { adminPort = 0 } = await client.status()
  const askAdmin = (path: string, token: string, method = 'GET'): Promise<Answer> =>
    ask(`http://127.0.0.1:${adminPort}`, path, { method, headers: bearer(token) })

  t.equal((await askAdmin('/v1/status', 'none')).status, 401, 'nobody may without a token')
  await cluster.printed(/request to ADMIN_PORT was refused/)
  const { id, token } = await client.createToken('ci')
  const answer = await askAdmin('/v1/status', token)
  t.match([answer.status, jsonOf(answer)], [200, { state: 'serving', adminPort }])
  const reloaded = await askAdmin('/v1/reload', token, 'POST')
  t.match([reloaded.status, jsonOf(reloaded)], [200, { replaced: 1 }])
  t.equal((await askAdmin('/v1/tokens', token, 'POST')).status, 403)

  const file = join(cluster.dataDir, 'tokens.json')
  t.equal(statSync(file).mode & 0o777, 0o600)
  for (const text of [readFileSync(file, 'utf8'), cluster.lines.join('\n'), JSON.stringify(await client.status())]) {
    t.notOk(text.includes(token))
  }
  await client.revokeToken(id)
  t.equal((await askAdmin('/v1/status', token)).status, 401, 'a token that is revoked is none')
  t.match(await failureOf(client.revokeToken(id)), { code: 'UNKNOWN_TOKEN' })
  t.match(await cluster.stop(), { code: 0 })
})
