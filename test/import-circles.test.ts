import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

/** The files of a folder, and the files that each imports, types included. */
function importGraph(folder: string): Map<string, string[]> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
  return new Map(names.map(name => [join(folder, name), importsOf(join(folder, name))]))
}

function importsOf(file: string): string[] {
  const found = readFileSync(file, 'utf8').matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)\.js'/g)
  return [...found].map(([, path]) => `${normalize(join(dirname(file), path!))}.ts`)
}

/** One circle of files that import each other, or undefined. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next, [...path, file])
      if (circle !== undefined) return circle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const circle = visit(file, [])
    if (circle !== undefined) return circle
  }
  return undefined
}

void t.test('a circle of imports is found', t => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['b']],
  ])
  t.strictSame(circleIn(graph), ['b', 'c', 'b'])
  t.equal(circleIn(new Map([['a', ['b']]])), undefined)
  t.end()
})

void t.test('no files of src import each other in a circle', t => {
  const graph = importGraph('src')
  t.ok(graph.size > 100)
  t.equal(circleIn(graph)?.join(' -> '), undefined)
  t.end()
})
