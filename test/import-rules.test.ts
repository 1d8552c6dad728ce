import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import t from 'tap'

const RULES = new Set(['no-restricted-imports', 'no-restricted-properties'])

/** The project's own configuration; of its rules those that need no types, so that the files need not exist. */
const eslint = new ESLint({
  cwd: fileURLToPath(new URL('../../', import.meta.url)),
  ruleFilter: ({ ruleId }) => RULES.has(ruleId),
  overrideConfig: { languageOptions: { parserOptions: { project: null } } },
})

async function faultsOf(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath })
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message)
}

/** Who may import what: the arrows of the design, one row each way. */
const imports: Array<[from: string, what: string, allowed: boolean]> = [
  ['balancer/pick.ts', 'node:http', true],
  ['balancer/pick.ts', './target.js', true],
  ['balancer/pick.ts', 'http-proxy', false],
  ['balancer/forward.ts', 'http-proxy', true],
  ['balancer/pick.ts', 'pino', false],
  ['balancer/forward.ts', 'express', false],
  ['balancer/pick.ts', '../src/core/log.js', false],
  ['balancer/pick.ts', '#src/core/log.js', false],
  ['src/core/log.ts', 'pino', true],
  ['src/core/log.ts', '../config.js', false],
  ['src/core/log.ts', '../services/redis.js', false],
  ['src/core/log.ts', '../primary/child.js', false],
  ['src/config.ts', './services/redis.js', false],
  ['src/ipc/messages.ts', '../config.js', true],
  ['src/ipc/messages.ts', '../services/redis.js', false],
  ['src/ipc/messages.ts', '../worker/mesh.js', false],
  ['src/object-store/xml.ts', 'node:http', true],
  ['src/object-store/xml.ts', './listing.js', true],
  ['src/object-store/xml.ts', 'pino', false],
  ['src/object-store/xml.ts', '../core/log.js', false],
  ['src/object-store/xml.ts', '#balancer', false],
  ['src/services/redis.ts', '../core/log.js', true],
  ['src/services/redis.ts', '../app/app.js', false],
  ['src/services/redis.ts', '../worker/mesh.js', false],
  ['src/services/redis.ts', '../primary/child.js', false],
  ['src/services/redis.ts', '#balancer', false],
  ['src/app/app.ts', '../services/redis.js', true],
  ['src/app/app.ts', '../worker/mesh.js', false],
  ['src/app/app.ts', '../primary/child.js', false],
  ['src/app/app.ts', '#balancer', false],
  ['src/app/app.ts', '#balancer/pick.js', false],
  ['src/app/app.ts', '../../balancer/pick.js', false],
  ['src/worker/mesh.ts', '../app/app.js', true],
  ['src/worker/mesh.ts', '../balancer-process.js', true],
  ['src/worker/mesh.ts', '../primary/child.js', false],
  ['src/worker/mesh.ts', '#balancer', false],
  ['src/worker/worker-server.ts', '#balancer/contract/header-limits.js', true],
  ['src/primary/fork.ts', '#balancer/contract/header-limits.js', true],
  ['src/app/app.ts', '#balancer/contract/header-limits.js', false],
  ['balancer/options.ts', './contract/header-limits.js', true],
  ['balancer/contract/header-limits.ts', '../../src/core/log.js', false],
  ['src/primary/child.ts', '../ipc/messages.js', true],
  ['src/primary/child.ts', '../services/redis.js', false],
  ['src/primary/child.ts', '../app/app.js', false],
  ['src/primary/child.ts', '../worker/mesh.js', false],
  ['src/primary/child.ts', '#balancer', false],
  ['src/primary/child.ts', '#balancer/errors.js', false],
  ['src/primary/refusal.ts', '#balancer/errors.js', true],
  ['src/primary/refusal.ts', '../services/redis.js', false],
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
  ['src/config.ts', 'process.env', true],
  ['src/config.ts', 'process.exit()', false],
  ['src/core/exit.ts', 'process.env', false],
  ['src/worker/mesh.ts', 'process.env', false],
  ['balancer/options.ts', 'process.env', false],
  ['src/core/exit.ts', 'process.exit()', true],
  ['src/primary/child.ts', 'process.exit()', false],
  ['balancer/balancer.ts', 'process.exit()', false],
]

void t.test('one file reads the environment, and one ends the process', async t => {
  for (const [file, code, allowed] of properties) {
    const faults = await faultsOf(file, `${code}\n`)
    t.strictSame(faults.length === 0, allowed, `${file} ${allowed ? 'may' : 'may not'} use ${code}: ${faults.join()}`)
  }
})
