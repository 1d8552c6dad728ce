import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { ControlClient } from '#src/control/client.js'
import { ask } from '../helpers/client.js'
import { Cluster } from '../helpers/cluster.js'
import { Shell } from '../helpers/command.js'
import { appThatSays, deploy, folderOf } from '../helpers/releases.js'

const PAGE = '<h1>back at noon</h1>'

for (const BALANCERS of ['1', '0']) {
  void t.test(`a page takes the place of the app with BALANCERS=${BALANCERS}`, async t => {
    const env = { APP: folderOf(t, appThatSays('old')), BALANCERS, EMBED: 'none', TRUST_PROXY: '1', WORKERS: '1' }
    const cluster = await Cluster.start(t, env)
    const { dataDir } = cluster
    const shell = new Shell(t)
    const page = join(dataDir, 'page.html')
    writeFileSync(page, PAGE)
    const maintenance = (...args: string[]): ReturnType<Shell['run']> =>
      shell.run(['maintenance', ...args, '--data-dir', dataDir])
    const answers = async ({ url }: Cluster): Promise<string[]> => {
      const all = [await ask(url, '/'), await ask(url, '/', { headers: { 'x-forwarded-for': '192.0.2.9' } })]
      return all.map(({ status, text }) => `${status} ${text}`)
    }

    t.match(await maintenance('on', '--page', page, '--allow', '192.0.2.0/24'), { code: 0, err: '' })
    t.strictSame(await answers(cluster), [`503 ${PAGE}`, '200 old'], 'from the answer of the command on')
    t.match(await shell.run(['status', '--data-dir', dataDir]), {
      out: /closed +maintenance for \S+ so far: clients get 503 and a page, but for 192\.0\.2\.0\/24\n/,
    })
    await deploy(t, cluster, appThatSays('new'))
    t.strictSame(await answers(cluster), [`503 ${PAGE}`, '200 new'], 'a deploy is possible')
    t.match(await cluster.stop(), { code: 0 })

    const again = await Cluster.start(t, { ...env, DATA_DIR: dataDir })
    t.strictSame(await answers(again), [`503 ${PAGE}`, '200 new'], 'a restart changes nothing')
    t.match(await maintenance('off'), { code: 0, out: 'clients get the app\n' })
    t.strictSame(await answers(again), ['200 new', '200 new'])
    t.equal((await (await ControlClient.of(dataDir)).status()).maintenance, undefined)
    t.match(await maintenance('on', '--page', '/nowhere'), { code: 64, err: /the page \/nowhere cannot be used/ })
    t.match(await maintenance('on', '--allow', 'home'), { code: 1, err: /allow: not an address or range: home/ })
  })
}
