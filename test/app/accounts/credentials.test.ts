import t from 'tap'
import { parseCredentials, parseNewCredentials, parsePasswordChange } from '#src/app/accounts/credentials.js'

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

const newName = (username: string): string => parseNewCredentials({ username, password }).username
const refusal = (parse: () => unknown): unknown => {
  try {
    return parse()
  } catch (error) {
    return (error as { faults?: unknown }).faults
  }
}

void t.test('a new username has no invisible characters', t => {
  const invisible = [0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180f, 0x3164, 0xfe00, 0xfe0f, 0xffa0, 0xe0100]
  for (const code of invisible) {
    const username = `ali${String.fromCodePoint(code)}ce`
    const reason = /invisible|letters, digits/
    t.match(
      refusal(() => newName(username)),
      [{ field: 'username', reason }],
      `U+${code.toString(16)}`,
    )
  }
  for (const code of [0xad, 0x200b, 0x200d, 0x202e, 0x2060, 0x2800, 0xfeff, 0xe0061]) {
    const username = `ali${String.fromCodePoint(code)}ce`
    t.match(
      refusal(() => newName(username)),
      [{ field: 'username' }],
      `U+${code.toString(16)}`,
    )
  }
  t.match(
    refusal(() => newName('\u0301alice')),
    [{ field: 'username' }],
    'nor a mark without a letter',
  )
  for (const username of ['zoë', 'жанна', 'ありす', 'अनिल', 'นารี', 'o.connor+1@example'])
    t.equal(newName(username), username)
  t.end()
})

void t.test('an account with a name or a password of an older version can still sign in', t => {
  t.equal(nameOf('ali\u3164ce'), 'ali\u3164ce')
  t.equal(parseCredentials({ username: 'alice', password: 'secret' }).password, 'secret')
  t.end()
})

void t.test('a password is taken exactly as it came', t => {
  for (const given of ['  Spaces Around  ', 'Cafe\u0301 Noir', 'Café Noir', 'MiXeD CaSe']) {
    t.equal(parseNewCredentials({ username: 'someone', password: given }).password, given)
    t.equal(parseCredentials({ username: 'someone', password: given }).password, given)
  }
  t.end()
})

void t.test('a password has 64 characters of one byte, and 72 bytes at most: bcrypt reads no more', t => {
  const long = (text: string, count: number): unknown =>
    refusal(() => parseNewCredentials({ username: 'someone', password: text.repeat(count) }).password.length)
  t.equal(long('ab', 32), 64)
  t.equal(long('ab', 36), 72)
  t.match(long('abc', 25), [{ field: 'password', reason: /72 bytes/ }])
  t.equal(long('éa', 24), 48, '72 bytes in 48 characters')
  t.match(long('éa', 25), [{ field: 'password', reason: /72 bytes/ }])
  t.end()
})

void t.test('a refusal of a registration names every reason', t => {
  t.match(
    refusal(() => parseNewCredentials({ username: 'a b', password: 'short' })),
    [{ field: 'username' }, { field: 'password', reason: /8 characters/ }],
  )
  t.match(
    refusal(() => parseNewCredentials({ username: 'alice-liddell', password: 'Alice-Liddell' })),
    [{ field: 'password', reason: /username/ }],
  )
  t.end()
})

void t.test('a change of the password needs the current one, and a good new one', t => {
  const change = (body: object): unknown => refusal(() => parsePasswordChange(body, 'alice-liddell'))
  t.match(change({ newPassword: password }), [{ field: 'currentPassword' }])
  t.match(change({ currentPassword: password }), [{ field: 'newPassword' }])
  t.match(change({ currentPassword: password, newPassword: 'password1' }), [
    { field: 'newPassword', reason: /most common/ },
  ])
  t.match(change({ currentPassword: password, newPassword: 'alice-liddell' }), [{ field: 'newPassword' }])
  t.strictSame(change({ currentPassword: 'secret', newPassword: password }), {
    currentPassword: 'secret',
    newPassword: password,
  })
  t.end()
})
