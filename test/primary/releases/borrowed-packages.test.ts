import { join } from 'node:path'
import t from 'tap'
import { requireOwnPackages } from '#src/primary/releases/borrowed-packages.js'
import { folderOf } from '../../helpers/releases.js'

const MANIFEST = '{"dependencies":{"express":"5","@scope/pg":"8"},"devDependencies":{"esbuild":"1"}}'
const ABOVE = {
  'node_modules/express/index.js': '',
  'node_modules/@scope/pg/index.js': '',
  'node_modules/esbuild/index.js': '',
}

/** The folder of a release in `.outpost` of an app. */
function releaseOf(
  t: Parameters<typeof folderOf>[0],
  above: Record<string, string>,
  own: Record<string, string>,
): string {
  const release = '.outpost/releases/r2/app'
  const files = Object.entries(own).map(([name, text]) => [`${release}/${name}`, text])
  const all = { ...above, ...(Object.fromEntries(files) as Record<string, string>) }
  return join(folderOf(t, all), release)
}

void t.test('a release does not take packages from a folder above it, and the error names them', t => {
  const folder = releaseOf(t, ABOVE, { 'package.json': MANIFEST })
  const message =
    /^package\.json names packages that the release does not have \(express, @scope\/pg\), and Node would take/
  t.throws(() => requireOwnPackages(folder), { message })
  const one = releaseOf(t, ABOVE, { 'package.json': MANIFEST, 'node_modules/express/index.js': '' })
  t.throws(() => requireOwnPackages(one), { message: /does not have \(@scope\/pg\), and/ })
  t.end()
})

void t.test('a release with many such packages names some of them', t => {
  const names = Array.from({ length: 8 }, (_, number) => `p${number}`)
  const dependencies = Object.fromEntries(names.map(name => [name, '1']))
  const above = Object.fromEntries(names.map(name => [`node_modules/${name}/index.js`, '']))
  const folder = releaseOf(t, above, { 'package.json': JSON.stringify({ dependencies }) })
  t.throws(() => requireOwnPackages(folder), { message: /\(p0, p1, p2, p3, p4 and 3 more\)/ })
  t.end()
})

void t.test('a release may have its own packages, none at all, or packages that it bundles', t => {
  const own = { 'node_modules/express/index.js': '', 'node_modules/@scope/pg/index.js': '' }
  const cases: Array<[Record<string, string>, Record<string, string>]> = [
    [ABOVE, { 'package.json': MANIFEST, ...own }],
    [{}, { 'package.json': MANIFEST }],
    [ABOVE, { 'package.json': '{"devDependencies":{"esbuild":"1"}}' }],
    [ABOVE, { 'index.js': '' }],
    [ABOVE, { 'package.json': 'no JSON' }],
    [ABOVE, { 'package.json': MANIFEST, '.pnp.cjs': '' }],
  ]
  for (const [above, files] of cases) t.doesNotThrow(() => requireOwnPackages(releaseOf(t, above, files)))
  t.end()
})
