import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** Every class, and other types that are exported. */
const DECLARATION = /^(?:(?:export )?(?:abstract )?class|export (?:interface|type)) (\w+)/gm

const files = ['src', 'balancer'].flatMap(folder =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name)),
)

void t.test('no two files declare a class, or export a type, of the same name', t => {
  const filesOf = new Map<string, string[]>()
  for (const file of files)
    for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(DECLARATION))
      filesOf.set(name, [...(filesOf.get(name) ?? []), file])
  t.ok(filesOf.size > 500, `${filesOf.size} names`)
  const shared = [...filesOf].filter(([, files]) => files.length > 1)
  t.strictSame(shared, [])
  t.end()
})
