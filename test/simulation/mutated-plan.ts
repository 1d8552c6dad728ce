import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { temporaryFolder, type Harness } from '../helpers/harness.js'
import type { PlanFunction } from './world.js'

const sources = fileURLToPath(new URL('../../../src/primary/plan', import.meta.url))

/** A change of one rule. */
export interface Mutation {
  /** A file of src/primary/plan. */
  readonly file: string
  /** Stands in the file once. */
  readonly text: string
  readonly instead: string
}

/**
 * The plan with one rule changed.
 * @throws {Error} the rule does not have this text any more
 */
export async function mutatedPlan(t: Harness, { file, text, instead }: Mutation): Promise<PlanFunction> {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  mkdirSync(join(folder, 'plan'))
  for (const name of readdirSync(sources)) {
    let code = readFileSync(join(sources, name), 'utf8')
    if (name === file) {
      if (code.split(text).length !== 2) throw new Error(`${file} does not have this text once: ${text}`)
      code = code.replace(text, () => instead)
    }
    writeFileSync(join(folder, 'plan', name.replace(/\.ts$/, '.js')), compiled(name, code))
  }
  const { plan } = (await import(pathToFileURL(join(folder, 'plan', 'plan.js')).href)) as { plan: PlanFunction }
  return plan
}

const cache = new Map<string, string>()

function compiled(name: string, code: string): string {
  const known = cache.get(code)
  if (known !== undefined) return known
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
  const { outputText } = ts.transpileModule(code, { fileName: name, compilerOptions })
  cache.set(code, outputText)
  return outputText
}
