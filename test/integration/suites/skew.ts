import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../../helpers/client.js'
import { Cluster, failureOf } from '../../helpers/cluster.js'
import { until } from '../../helpers/deadline.js'
import { deploy, folderOf } from '../../helpers/releases.js'

function readFolder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : []
}

/** A page, and the one script that it names: `script` says which. */
function shop(script: string, before = ''): Record<string, string> {
  return {
    'package.json': '{"main":"app.mjs"}',
    'app.mjs': `
import { createServer } from 'node:http'
${before}
createServer(({ url }, response) => {
  if (url === '/') return response.end('<script src="/${script}.js">')
  if (url !== '/${script}.js') return response.writeHead(404).end('nothing here')
  response.writeHead(200, { 'cache-control': 'public, max-age=31536000, immutable' }).end('${script}')
}).listen(process.env.PORT)
`,
  }
}

/** Old files are found by the clients of a new release, and the other way round. */
export async function skew(t: Test, BALANCERS: string, WORKERS: string): Promise<void> {
  await t.test(
    `a page of the previous release finds its files, without its code, with ${BALANCERS} balancers`,
    async t => {
      const env = { APP: folderOf(t, shop('1a')), BALANCERS, EMBED: 'none', KEEP_WARM: '0', WORKERS }
      const cluster = await Cluster.start(t, env)
      const textOf = async (path: string): Promise<string> => {
        const { status, text } = await ask(cluster.url, path)
        return `${status} ${text}`
      }
      /** Copies that processes share are written and read beside the requests. */
      const saved = async (count: number): Promise<void> => {
        if (BALANCERS === '1') return
        const folder = join(cluster.dataDir, 'run', 'kept')
        const files = (): string[] => readFolder(folder).filter(name => !name.endsWith('.part'))
        await until(() => files().length === count, `${count} copies to be saved`)
      }
      /** Each request may go to another process. */
      const isThere = async (path: string, text: string): Promise<void> => {
        await until(async () => {
          for (let i = 0; i < 6; i++) if ((await textOf(path)) !== text) return false
          return true
        }, `all to have ${path}`)
      }
      t.equal(await textOf('/1a.js'), '200 1a')
      t.equal(await textOf('/2b.js'), '404 nothing here')
      await saved(1)

      await deploy(t, cluster, shop('2b'))
      t.equal(await textOf('/'), '200 <script src="/2b.js">')
      await isThere('/1a.js', '200 1a')
      t.strictSame(
        [await textOf('/1a.js'), await textOf('/2b.js'), await textOf('/3c.js')],
        ['200 1a', '200 2b', '404 nothing here'],
      )
      const client = await ControlClient.of(cluster.dataDir)
      const hasEnded = async (): Promise<boolean> =>
        (await client.status()).processes.every(({ release }) => release !== 'start')
      await until(hasEnded, 'the workers of the release before to end')
      t.strictSame([await textOf('/1a.js'), await textOf('/2b.js')], ['200 1a', '200 2b'])

      await saved(2)
      await client.rollback()
      t.equal(await textOf('/'), '200 <script src="/1a.js">')
      await isThere('/2b.js', '200 2b')
      t.match(await failureOf(deploy(t, cluster, shop('3c', 'throw new Error("broken")'))), { code: 'TAKEN_BACK' })
      t.equal(await textOf('/1a.js'), '200 1a')
    },
  )
}
