import t from 'tap'
import { commandLineOf } from '#src/primary/beside/command-line.js'

void t.test('a command is its words, and the variables before them', t => {
  t.strictSame(commandLineOf('node worker.js'), { words: ['node', 'worker.js'], env: {} })
  t.strictSame(commandLineOf(`A=1 B='x y' node -e "a b"`), { words: ['node', '-e', 'a b'], env: { A: '1', B: 'x y' } })
  t.strictSame(commandLineOf('node a.js C=3'), { words: ['node', 'a.js', 'C=3'], env: {} })
  t.end()
})

void t.test('signs that only a shell would read are remarked upon, except in quotes', t => {
  t.match(commandLineOf('node a.js && node b.js')?.remark, /& stays as it is/)
  t.match(commandLineOf('node a.js $QUEUE')?.remark, /\$ stays as it is/)
  t.equal(commandLineOf(`sh -c 'node a.js | cat'`)?.remark, undefined)
  t.end()
})

void t.test('a line with an unclosed quote, or without words, is not a command', t => {
  t.equal(commandLineOf(`node 'a`), undefined)
  t.equal(commandLineOf('A=1'), undefined)
  t.end()
})
