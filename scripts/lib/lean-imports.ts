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
  const rest = code.replaceAll(IMPORT, (_, whole?: string, names?: string, module?: string) => {
    const source = `process.getBuiltinModule("${module ?? ''}")`
    if (whole !== undefined) builtins.push(`const ${whole} = ${source};`)
    // `a as b` of an import is `a: b` of a pattern.
    if (names !== undefined) builtins.push(`const {${names.replaceAll(' as ', ': ')}} = ${source};`)
    return ''
  })
  if (builtins.length === 0) return code
  // Imports are done before anything else of a file, wherever they stand.
  const shebang = /^#!.*\n/.exec(rest)?.[0] ?? ''
  return `${shebang}${builtins.join('\n')}\n${rest.slice(shebang.length)}`
}

const IMPORT = /^import (?:(?:\* as )?([\w$]+))?(?:, )?(?:\{([^}]*)\})? from "(node:[\w/]+)";\n/gm
