import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import t from 'tap'

const RULES = new Set(['no-restricted-imports', 'no-restricted-properties'])

/** The project's own configuration; of its rules those that need no types, so that the files need not exist. */
const eslint = new ESLint({
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  ruleFilter: ({ ruleId }) => RULES.has(ruleId),
  overrideConfig: { languageOptions: { parserOptions: { project: null } } },
})

async function faultsOf(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath })
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message)
}

/** The allowed and the forbidden imports of the design, one row each. */
const imports: Array<[from: string, what: string, allowed: boolean]> = [
  ['balancer/targets/pick.ts', 'node:http', true],
  ['balancer/targets/pick.ts', './target.js', true],
  ['balancer/targets/pick.ts', 'http-proxy', false],
  ['balancer/transports/http-proxy.ts', 'http-proxy', true],
  ['balancer/transports/upstream.ts', 'http-proxy', false],
  ['balancer/balancer.ts', 'http-proxy', false],
  ['balancer/targets/pick.ts', 'pino', false],
  ['balancer/transports/http-proxy.ts', 'express', false],
  ['balancer/balancer.ts', './edge/listener.js', true],
  ['balancer/options.ts', './targets/target.js', false],
  ['balancer/errors.ts', './edge/listener.js', false],
  ['balancer/edge/listener.ts', '../requests/exchange.js', true],
  ['balancer/edge/listener.ts', '../options.js', true],
  ['balancer/edge/listener.ts', '../balancer.js', false],
  ['balancer/edge/listener.ts', '../index.js', false],
  ['balancer/requests/exchange.ts', '../edge/listener.js', false],
  ['balancer/requests/exchange.ts', '../targets/target.js', true],
  ['balancer/requests/exchange.ts', '../transports/transport.js', true],
  ['balancer/targets/target.ts', '../requests/exchange.js', false],
  ['balancer/targets/target.ts', '../edge/listener.js', false],
  ['balancer/targets/target.ts', '../transports/transport.js', true],
  ['balancer/transports/http-proxy.ts', '../targets/target.js', false],
  ['balancer/transports/upstream.ts', '../targets/target.js', false],
  ['balancer/transports/upstream.ts', '../requests/exchange.js', false],
  ['balancer/transports/upstream.ts', '../edge/identify.js', false],
  ['balancer/transports/upstream.ts', '../contract/client-envelope.js', true],
  ['balancer/requests/exchange.ts', '../ledger/client-account.js', true],
  ['balancer/ledger/client-ledger.ts', '../requests/exchange.js', false],
  ['balancer/contract/client-envelope.ts', '../transports/transport.js', false],
  ['balancer/contract/client-envelope.ts', '../edge/identify.js', false],
  ['balancer/targets/pick.ts', '../src/process/log.js', false],
  ['balancer/targets/pick.ts', '#src/process/log.js', false],
  ['src/process/log.ts', 'pino', true],
  ['src/process/log.ts', '../config/config.js', false],
  ['src/resources/semaphore.ts', '../services/redis.js', false],
  ['src/resources/semaphore.ts', '../process/log.js', false],
  ['src/primary/cron/redis-run-lease.ts', '../../services/redis.js', true],
  ['src/primary/cron/cron-runner.ts', '../../services/redis.js', false],
  ['src/process/log.ts', '../services/redis.js', false],
  ['src/process/log.ts', '../primary/processes/child.js', false],
  ['src/config/config.ts', '../services/redis.js', false],
  ['src/config/variables.ts', '#balancer/contract/defaults.js', true],
  ['src/config/variables.ts', '#balancer/options.js', false],
  ['src/ipc/messages.ts', '../config/config.js', true],
  ['src/ipc/messages.ts', '../services/redis.js', false],
  ['src/ipc/messages.ts', '../worker/mesh.js', false],
  ['src/object-store/protocol/xml-writer.ts', 'node:http', true],
  ['src/object-store/protocol/xml-writer.ts', './listing.js', true],
  ['src/object-store/protocol/xml-writer.ts', 'pino', false],
  ['src/object-store/protocol/xml-writer.ts', '../../process/log.js', false],
  ['src/object-store/protocol/xml-writer.ts', '#balancer', false],
  ['src/services/redis.ts', '../process/log.js', true],
  ['src/services/redis.ts', '../app/app.js', false],
  ['src/services/redis.ts', '../worker/mesh.js', false],
  ['src/services/redis.ts', '../primary/processes/child.js', false],
  ['src/services/redis.ts', '#balancer', false],
  ['src/app/app.ts', '../services/redis.js', true],
  ['src/app/app.ts', '../worker/mesh.js', false],
  ['src/app/app.ts', '../primary/processes/child.js', false],
  ['src/app/app.ts', '#balancer', false],
  ['src/app/app.ts', '#balancer/targets/pick.js', false],
  ['src/app/app.ts', '../../balancer/targets/pick.js', false],
  ['src/worker/mesh.ts', '../app/app.js', true],
  ['src/worker/mesh.ts', '../balancer-process.js', true],
  ['src/worker/mesh.ts', '../primary/processes/child.js', false],
  ['src/worker/mesh.ts', '#balancer', false],
  ['src/worker/worker-server.ts', '#balancer/contract/header-limits.js', true],
  ['src/primary/processes/fork.ts', '#balancer/contract/header-limits.js', true],
  ['src/app/app.ts', '#balancer/contract/header-limits.js', false],
  ['balancer/options.ts', './contract/header-limits.js', true],
  ['balancer/contract/header-limits.ts', '../../src/process/log.js', false],
  ['src/primary/processes/child.ts', '../ipc/messages.js', true],
  ['src/primary/processes/child.ts', '../services/redis.js', false],
  ['src/primary/processes/child.ts', '../app/app.js', false],
  ['src/primary/processes/child.ts', '../worker/mesh.js', false],
  ['src/primary/processes/child.ts', '#balancer', false],
  ['src/primary/processes/child.ts', '#balancer/errors.js', false],
  ['src/primary/traffic/refusal.ts', '#balancer/errors.js', true],
  ['src/primary/traffic/refusal.ts', '../services/redis.js', false],
  ['src/cli/start.ts', '../main.js', true],
  ['src/cli/status.ts', '../control/client.js', true],
  ['src/cli/status.ts', '../primary/instance.js', false],
  ['src/cli/status.ts', '../ipc/messages.js', false],
  ['src/cli/status.ts', '../services/redis.js', false],
  ['src/cli/status.ts', '#balancer', false],
  ['src/control/client.ts', '../primary/instance.js', false],
  ['src/main.ts', './primary/primary-process.js', true],
  ['src/main.ts', '#balancer', false],
  ['src/balancer-process.ts', '#balancer', true],
]

void t.test('imports point one way', async t => {
  for (const [from, what, allowed] of imports) {
    const faults = await faultsOf(from, `import '${what}'\n`)
    t.strictSame(
      faults.length === 0,
      allowed,
      `${from} ${allowed ? 'may' : 'may not'} import ${what}: ${faults.join()}`,
    )
  }
})

const properties: Array<[file: string, code: string, allowed: boolean]> = [
  ['src/config/config.ts', 'process.env', true],
  ['src/config/config.ts', 'process.exit()', false],
  ['src/process/exit.ts', 'process.env', false],
  ['src/worker/mesh.ts', 'process.env', false],
  ['balancer/options.ts', 'process.env', false],
  ['src/process/exit.ts', 'process.exit()', true],
  ['src/primary/processes/child.ts', 'process.exit()', false],
  ['balancer/balancer.ts', 'process.exit()', false],
]

void t.test('one file reads the environment, and one ends the process', async t => {
  for (const [file, code, allowed] of properties) {
    const faults = await faultsOf(file, `${code}\n`)
    t.strictSame(faults.length === 0, allowed, `${file} ${allowed ? 'may' : 'may not'} use ${code}: ${faults.join()}`)
  }
})
