import t from 'tap'
import { withLeanImports } from '#scripts/lib/lean-imports.js'

void t.test('imports of Node’s modules become reads of what is named', t => {
  for (const [from, to] of [
    ['import fs from "node:fs";', 'const fs = process.getBuiltinModule("node:fs");'],
    ['import * as http from "http";', 'const http = process.getBuiltinModule("http");'],
    ['import * as path from "node:path";', 'const path = process.getBuiltinModule("node:path");'],
    [
      'import { a, b as c$1 } from "node:fs/promises";',
      'const { a, b: c$1 } = process.getBuiltinModule("node:fs/promises");',
    ],
  ] as const) {
    t.equal(withLeanImports(`${from}\nrest();\n`), `${to}\nrest();\n`)
  }
  t.equal(
    withLeanImports('import http, { Agent } from "node:http";\n'),
    'const http = process.getBuiltinModule("node:http");\nconst { Agent } = process.getBuiltinModule("node:http");\n',
  )
  t.end()
})

void t.test('a default export that is named so is the whole module', t => {
  t.equal(
    withLeanImports('import { default as x } from "node:fs";\n'),
    'const x = process.getBuiltinModule("node:fs");\n',
  )
  t.equal(
    withLeanImports('import { a, default as x, b as c } from "node:fs";\n'),
    'const x = process.getBuiltinModule("node:fs");\nconst { a, b: c } = process.getBuiltinModule("node:fs");\n',
  )
  t.end()
})

void t.test('the modules are there before anything else of the file, as with imports', t => {
  const code = withLeanImports(
    '#!/usr/bin/env node\nimport { x } from "./x.js";\nrun();\nimport fs from "node:fs";\nfs.y();\n',
  )
  t.match(code, /^#!\/usr\/bin\/env node\nconst fs = .*;\nimport \{ x \} from "\.\/x\.js";\nrun\(\);\nfs\.y\(\);\n$/)
  t.end()
})

void t.test('only imports of Node’s modules are changed', t => {
  const code =
    'import { pino } from "pino";\nimport * as own from "own/http";\nconst text = `\n  import fs from "node:fs";`;\nawait import("node:fs");\n'
  t.equal(withLeanImports(code), code)
  t.end()
})
