import t from 'tap'
import { parseCredentials } from '#src/app/accounts/credentials.js'

const password = 'correct horse'
const nameOf = (username: string): string => parseCredentials({ username, password }).username

void t.test('all spellings of a username are one name', t => {
  for (const [one, other] of [
    ['José', 'JOSE\u0301'],
    ['alice', 'ALICE'],
    // This is not a single letter in upper case, but it is in lower case.
    ['x\u01f0', 'XJ\u030c'],
    ['\u1e96', 'H\u0331'],
    ['\u1e98', 'W\u030a'],
  ] as const) {
    t.equal(nameOf(one), nameOf(other))
    t.equal(nameOf(nameOf(other)), nameOf(other), 'the normal form of a normal form is itself')
  }
  t.end()
})

void t.test('characters beyond the first 65,536 count as one', t => {
  t.equal(nameOf('\u{10428}'.repeat(64)), '\u{10428}'.repeat(64))
  t.throws(() => nameOf('\u{10428}'.repeat(65)), { code: 'VALIDATION_FAILED' })
  t.throws(() => nameOf(''), { code: 'VALIDATION_FAILED' })
  t.end()
})

void t.test('lone surrogates in a password are refused: in UTF-8 they are all the same', t => {
  for (const half of ['\ud800', '\udc00', '\ud800\ud801']) {
    t.throws(() => parseCredentials({ username: 'someone', password: `${half}abcdef` }), { code: 'VALIDATION_FAILED' })
  }
  t.equal(parseCredentials({ username: 'someone', password: '🐎 battery' }).password, '🐎 battery')
  t.end()
})
