import { isBuiltin } from 'node:module'

/**
 * Makes a bundle take Node's modules without their lazy parts. For `import http from 'node:http'` Node reads every property of
 * the module to make exports of them. Some are getters that load what is rarely used: the fetch client behind
 * `http.WebSocket`, WebCrypto behind `crypto.webcrypto`, the standard streams behind `process.stdin`. That takes a tenth of the
 * processor time of a start. `process.getBuiltinModule` gives the module alone, and only what is named is read.
 *
 * @param code a file that esbuild wrote: each import is a statement of its own that begins a line. Other forms stay as they are
 */
export function withLeanImports(code: string): string {
  const builtins: string[] = []
  const rest = code.replaceAll(
    IMPORT,
    (statement: string, whole: string | undefined, names: string | undefined, module: string) => {
      // Packages name them without the prefix, too.
      if (!isBuiltin(module)) return statement
      const source = `process.getBuiltinModule("${module}")`
      if (whole !== undefined) builtins.push(`const ${whole} = ${source};`)
      if (names !== undefined) builtins.push(...readsOf(names, source))
      return ''
    },
  )
  if (builtins.length === 0) return code
  // Imports are done before anything else of a file, wherever they stand.
  const shebang = /^#!.*\n/.exec(rest)?.[0] ?? ''
  return `${shebang}${builtins.join('\n')}\n${rest.slice(shebang.length)}`
}

/** The default export of one of Node's modules is the module itself, which has no property of that name. */
function readsOf(names: string, source: string): string[] {
  const each = names.split(',').map(name => name.trim())
  const wholes = each.flatMap(name => DEFAULT.exec(name)?.[1] ?? []).map(whole => `const ${whole} = ${source};`)
  const parts = each.filter(name => name !== '' && !DEFAULT.test(name))
  // `a as b` of an import is `a: b` of a pattern.
  const pattern = parts.join(', ').replaceAll(' as ', ': ')
  return parts.length === 0 ? wholes : [...wholes, `const { ${pattern} } = ${source};`]
}

const DEFAULT = /^default as ([\w$]+)$/
const IMPORT = /^import (?:(?:\* as )?([\w$]+))?(?:, )?(?:\{([^}]*)\})? from "([\w/:]+)";\n/gm
