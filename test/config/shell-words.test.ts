import t from 'tap'
import { shellWords } from '#src/config/shell-words.js'

const texts: Array<[text: string, words: string[] | undefined]> = [
  ['', []],
  ['  ', []],
  ['one', ['one']],
  [' one  two ', ['one', 'two']],
  [`'two words' "and two"`, ['two words', 'and two']],
  [`it\\'s 'it'\\''s'`, ["it's", "it's"]],
  [`--name="a \\"b\\" \\n"`, ['--name=a "b" \\n']],
  [`'' ""`, ['', '']],
  ['a\\ b', ['a b']],
  [`'open`, undefined],
  [`"open`, undefined],
  ['a\\', undefined],
]

for (const [text, words] of texts) {
  void t.test(`<${text}> is split as a shell splits it`, t => {
    t.strictSame(shellWords(text), words)
    t.end()
  })
}
