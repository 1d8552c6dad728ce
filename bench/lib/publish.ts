import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { docsFolder } from './paths.js'

const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'
const page = new URL('performance.md', docsFolder)

/** The path of the chart, relative to the page. */
export const CHART = 'performance/throughput.svg'

/** Writes the figures of a run into docs/performance.md, between its marks, and the chart next to it. */
export async function publish(markdown: string, svg: string | undefined): Promise<void> {
  const text = fs.readFileSync(page, 'utf8')
  const [before = '', rest] = text.split(BEGIN)
  const after = rest?.split(END)[1]
  if (after === undefined) throw new Error(`docs/performance.md has no ${BEGIN} … ${END} to put the figures in`)
  const prettier = await import('prettier')
  const options = await prettier.resolveConfig(fileURLToPath(page))
  const whole = `${before}${BEGIN}\n\n${markdown}\n${END}${after}`
  fs.writeFileSync(page, await prettier.format(whole, { ...options, parser: 'markdown' }))
  if (svg === undefined) return
  const chart = new URL(CHART, docsFolder)
  fs.mkdirSync(new URL('.', chart), { recursive: true })
  fs.writeFileSync(chart, svg)
}
