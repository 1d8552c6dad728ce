import { commonPasswords } from '../common-passwords.js'

/** In characters, as people count them; OWASP ASVS 6.2.1. */
export const MIN_PASSWORD = 8

/** Words that somebody would try here first; docs/security.md lists them. */
export const contextWords: readonly string[] = [
  'outpost',
  'express',
  'balancer',
  'worker',
  'product',
  'products',
  'upload',
  'uploads',
  'chat',
  'account',
  'admin',
  'administrator',
  'root',
  'user',
  'username',
  'guest',
  'test',
  'demo',
  'login',
  'welcome',
  'password',
  'secret',
  'changeme',
]

/** Digits and signs around a word make it no harder to guess. */
const AROUND = /^[^\p{L}]+|[^\p{L}]+$/gu

/**
 * Why a password is too easy to guess for a new one; undefined for a good one. No kind of character is demanded
 * (ASVS 6.2.5).
 * @param username in its normal form
 */
export function passwordFault(password: string, username: string): string | undefined {
  if (Array.from(password).length < MIN_PASSWORD) return `must have at least ${MIN_PASSWORD} characters`
  const plain = password.normalize('NFC').toLowerCase()
  if (commonPasswords.includes(`\n${plain}\n`)) return 'is one of the most common passwords'
  const word = plain.replace(AROUND, '')
  const reversed = Array.from(plain).reverse().join('')
  if ([plain, word, reversed].includes(username) || word === username.replace(AROUND, '')) {
    return 'must not be the username'
  }
  if (contextWords.includes(word) || contextWords.includes(repeated(word))) return 'is a word that is tried first here'
  if (/^(.)\1*$/su.test(plain)) return 'must not be one character many times'
  return undefined
}

/** The part of which a text is a repetition: `outpost` of `outpostoutpost`. */
function repeated(text: string): string {
  return /^(.+?)\1+$/su.exec(text)?.[1] ?? text
}
