import { readFileSync } from 'node:fs'
import t from 'tap'
import { commonPasswords } from '#src/app/common-passwords.js'
import { contextWords, MIN_PASSWORD, passwordFault } from '#src/app/accounts/password-rules.js'

const good = (password: string, username = 'somebody'): boolean => passwordFault(password, username) === undefined

void t.test('a new password has eight characters at least, as people count them', t => {
  t.match(passwordFault('7 chars', 'somebody'), /8 characters/)
  t.match(passwordFault('🐎🐎🐎🐎🐎🐎🐎', 'somebody'), /8 characters/, 'seven, though the text has 14 units')
  t.ok(good('8 chars!'))
  t.ok(good('🐎🐄🐖🐑🐐🐓🦆🦢'))
  t.end()
})

void t.test('the most common passwords are refused, in any case of their letters', t => {
  const list = commonPasswords.trim().split('\n')
  t.ok(list.length >= 3_000, `${list.length} of them (ASVS 6.2.4)`)
  t.ok(
    list.every(password => Array.from(password).length >= MIN_PASSWORD),
    'all could be chosen',
  )
  t.equal(new Set(list).size, list.length)
  for (const password of ['password', 'Password123', 'TRUSTNO1', 'qwertyuiop', list.at(-1)!]) {
    t.match(passwordFault(password, 'somebody'), /most common/, password)
  }
  t.ok(good('password\npassword'), 'a line of the list is a password, two are not')
  t.end()
})

void t.test('the username is refused as a password, also backwards or with digits and signs around it', t => {
  for (const password of [
    'alice-in-chains',
    'Alice-In-Chains',
    'alice-in-chains!',
    '123alice-in-chains456',
    'sniahc-ni-ecila',
  ]) {
    t.match(passwordFault(password, 'alice-in-chains'), /username/, password)
  }
  t.match(passwordFault('JOSÉ-MARÍA', 'josé-maría'), /username/)
  t.ok(good('alice likes chains', 'alice'), 'it may be a part of a longer one')
  t.end()
})

void t.test('words that are tried first here are refused, with anything around them', t => {
  for (const password of ['outpost1', 'Outpost2026!', '!!!admin!!!', 'outpostoutpost', 'administrator']) {
    t.match(passwordFault(password, 'somebody'), /tried first|most common/, password)
  }
  t.ok(good('an outpost in the woods'))
  t.end()
})

void t.test('no kind of character is demanded, and none is refused', t => {
  for (const password of [
    'correct horse',
    'нет такого слова',
    'ΑΒΓΔΕΖΗΘΙ',
    '        ☃',
    '\t tabs and\nlines',
    '４８１５１６２３４２７',
  ]) {
    t.ok(good(password), password)
  }
  t.notOk(good('zzzzzzzzzzzz'), 'one character many times is the exception')
  t.end()
})

void t.test('docs/security.md lists the words', t => {
  const page = readFileSync('docs/security.md', 'utf8')
  for (const word of contextWords) t.ok(page.includes(`\`${word}\``), word)
  t.end()
})
