import t from 'tap'
import { label } from '#src/control/protocol/label.js'
import { createTokenSchema, deployQuerySchema } from '#src/control/protocol.js'

void t.test('a label has nothing that a terminal would obey', t => {
  t.equal(label(9).parse('Ünï 📦'), 'Ünï 📦')
  t.equal(label(20).parse('a\u001b[31mb\nc\u009bd\u007f'), 'a?[31mb?c?d?')
  t.throws(() => label(3).parse('long'))
  t.end()
})

void t.test('the source of a release and the name of a token are labels', t => {
  t.equal(deployQuerySchema.parse({ source: 'a\u001b[2J' }).source, 'a?[2J')
  t.equal(createTokenSchema.parse({ name: 'a\u001b[2J' }).name, 'a?[2J')
  t.end()
})
