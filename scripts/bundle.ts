/**
 * Bundles the modules of each process into few files: `dist/main.js`, the command `dist/cli.js`, the two parts of a
 * worker with somebody else's app, the thread of a worker, and one chunk per role under `dist/chunks`. A worker that finds
 * its modules in a thousand small files needs three times as long to start. Run by `npm run build`, after tsc.
 */
import { build, type Plugin } from 'esbuild'
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLeanImports } from './lib/lean-imports.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Packages that look for files beside their own: native code, a client to serve, threads. */
const leftAlone = ['bcrypt', 'socket.io']

/** CommonJS packages ask for Node's modules by `require`, which a module does not have. */
const banner = `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);`

/**
 * Parts of pino that would slow a start down: its transports, which log in threads and which Outpost does not use, and the
 * module that sonic-boom checks one value with, which takes as long to load as pino.
 */
const leanPino: Plugin = {
  name: 'lean-pino',
  setup(build) {
    const instead = {
      transports: `module.exports = () => { throw new Error('pino is bundled without its transports') }`,
      assert: `module.exports = (...check) => process.getBuiltinModule('node:assert')(...check)`,
    }
    const replace = (filter: RegExp, importers: RegExp, path: keyof typeof instead): void =>
      build.onResolve({ filter }, ({ importer }) =>
        importers.test(importer) ? { path, namespace: 'instead' } : undefined,
      )
    replace(/^\.\/(lib\/)?transport$/, /\/node_modules\/pino\//, 'transports')
    replace(/^assert$/, /\/node_modules\/sonic-boom\//, 'assert')
    build.onLoad({ filter: /./, namespace: 'instead' }, ({ path }) => ({
      contents: instead[path as keyof typeof instead],
    }))
  },
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts', 'src/cli.ts', 'src/worker/app-process.ts'],
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: leftAlone,
  plugins: [leanPino],
  banner: { js: banner },
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
})

/**
 * The code that runs in a worker before the app, since only a CommonJS module can finish before the app's first line; and
 * that of a thread, which is started from a text.
 */
for (const [source, outfile] of [
  ['src/worker/preload.ts', 'dist/preload.cjs'],
  ['src/worker/stand-in-thread.ts', 'dist/stand-in.cjs'],
] as const) {
  await build({
    absWorkingDir: root,
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
  })
}

for (const output of Object.keys(metafile.outputs)) {
  const file = join(root, output)
  writeFileSync(file, withLeanImports(readFileSync(file, 'utf8')))
}

chmodSync(`${root}/dist/cli.js`, 0o755)

rmSync(`${root}/dist/.compile-cache`, { recursive: true, force: true })

// Old chunks are removed last, because a running instance forks its processes from them.
for (const chunk of readdirSync(`${root}/dist/chunks`)) {
  if (!(`dist/chunks/${chunk}` in metafile.outputs)) rmSync(`${root}/dist/chunks/${chunk}`)
}
