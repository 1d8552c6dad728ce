import t from 'tap'
import { OutputEnds } from '#src/primary/releases/output-ends.js'

const printing = (count: number): OutputEnds => {
  const ends = new OutputEnds()
  for (let index = 1; index <= count; index++) ends.note(`line ${index}`)
  return ends
}

void t.test('short output is kept whole', t => {
  t.strictSame(printing(0).lines, [])
  const { lines } = printing(40)
  t.equal(lines.length, 40)
  t.notOk(lines.some(line => line.startsWith('…')))
  t.end()
})

void t.test('long output is kept without its middle, whose size is told', t => {
  const { lines } = printing(1_000)
  t.equal(lines.length, 41)
  t.strictSame(lines.slice(18, 23), ['line 19', 'line 20', '… (960 more)', 'line 981', 'line 982'])
  t.equal(lines.at(-1), 'line 1000')
  t.end()
})
