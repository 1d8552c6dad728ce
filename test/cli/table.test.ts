import t from 'tap'
import { coloured } from '#src/cli/paint.js'
import { table } from '#src/cli/table.js'

void t.test('columns are as wide as their widest cell, and colours have no width', t => {
  const columns = [{ title: 'NAME' }, { title: 'N', right: true }, { title: 'NOTE' }]
  t.strictSame(
    table(columns, [
      ['a', '7', 'x'],
      [coloured('red', 'long name'), '100', ''],
    ]),
    ['NAME         N  NOTE', 'a            7  x', `${coloured('red', 'long name')}  100`],
  )
  t.end()
})
