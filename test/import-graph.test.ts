import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

type Graph = Map<string, string[]>

function filesOf(folder: string): string[] {
  const names = readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
  return names.filter(name => name.endsWith('.ts')).map(name => path.posix.join(folder, name))
}

/** The modules that a file imports, at the top level or with `import()`, types included. */
function importsOf(source: ts.SourceFile): string[] {
  const found: string[] = []
  const add = (specifier: ts.Node | undefined): void => {
    if (specifier !== undefined && ts.isStringLiteral(specifier)) found.push(specifier.text)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0])
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The file of this repository that `specifier` names, seen from `file`; undefined for packages and `node:`. */
function resolve(file: string, specifier: string): string | undefined {
  const alias = /^#(balancer|src|scripts)(\/.*)?$/.exec(specifier)
  if (alias !== null) return path.posix.join(alias[1] ?? '', alias[2] ?? '/index.js').replace(/\.js$/, '.ts')
  if (!specifier.startsWith('.')) return undefined
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts')
}

function graphOf(folders: readonly string[]): Graph {
  const graph: Graph = new Map()
  for (const file of folders.flatMap(filesOf)) {
    const text = readFileSync(path.join(root, file), 'utf8')
    const imports = importsOf(ts.createSourceFile(file, text, ts.ScriptTarget.Latest))
    graph.set(
      file,
      imports.flatMap(specifier => resolve(file, specifier) ?? []),
    )
  }
  return graph
}

/** The sets of files in which each imports, over others, every other (Tarjan's strongly connected components). */
function circlesOf(graph: Graph): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    lowest.set(file, order.get(file)!)
    stack.push(file)
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) visit(next)
      if (stack.includes(next)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(next)!))
    }
    if (lowest.get(file) !== order.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1 || graph.get(file)?.includes(file) === true) circles.push(circle.sort())
  }
  for (const file of graph.keys()) if (!order.has(file)) visit(file)
  return circles
}

void t.test(
  'no files of the program, its tests, scripts and bench import each other in a circle, not even types',
  t => {
    const graph = graphOf(['balancer', 'src', 'scripts', 'bench', 'test'])
    t.ok(graph.get('balancer/balancer.ts')?.includes('balancer/edge/listener.ts'), 'the graph has its edges')
    t.ok(graph.get('src/balancer-process.ts')?.includes('balancer/index.ts'), 'aliases are followed')
    t.strictSame(circlesOf(graph), [])
    t.end()
  },
)

void t.test('a circle of files is found, and so is a file that imports itself', t => {
  const graph: Graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['e']],
    ['e', ['e']],
  ])
  t.strictSame(circlesOf(graph), [['e'], ['a', 'b', 'c']])
  t.end()
})
