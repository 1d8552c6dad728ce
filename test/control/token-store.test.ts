import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TokenStore } from '#src/control/token-store.js'
import { temporaryFolder } from '../helpers/harness.js'

const accepts = (store: TokenStore, token: string): boolean => store.permissionOf(token) !== undefined

void t.test('a token is accepted until it is revoked, also by a later start', t => {
  const file = join(temporaryFolder(t), 'tokens.json')
  const store = new TokenStore(file)
  t.notOk(accepts(store, ''))
  const { id, token } = store.create('ci')
  const other = store.create('laptop')
  t.match(token, /^outpost_[\w-]{43}$/)
  t.ok(accepts(store, token))
  t.ok(accepts(new TokenStore(file), other.token))
  for (const wrong of ['', 'x', token.slice(0, -1), `${token}x`, id]) t.notOk(accepts(store, wrong), wrong)
  t.match(store.list(), [{ id, name: 'ci' }, { name: 'laptop' }])
  const [permission, another] = [store.permissionOf(token), store.permissionOf(other.token)]
  store.revoke(id)
  t.ok(permission?.aborted, 'answers to the token end')
  t.notOk(another?.aborted)
  t.notOk(accepts(store, token))
  t.ok(accepts(store, other.token))
  t.notOk(accepts(new TokenStore(file), token))
  t.throws(() => store.revoke(id), { code: 'UNKNOWN_TOKEN' })
  t.end()
})

void t.test('only hashes are kept, where no other user may read them', t => {
  const file = join(temporaryFolder(t), 'tokens.json')
  const { token } = new TokenStore(file).create('')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notOk(readFileSync(file, 'utf8').includes(token.slice('outpost_'.length)))
  t.end()
})

void t.test('there are fifty tokens at most', t => {
  const store = new TokenStore(join(temporaryFolder(t), 'tokens.json'))
  for (let i = 0; i < 50; i += 1) store.create('')
  t.throws(() => store.create(''), { code: 'TOO_MANY_TOKENS' })
  t.end()
})

void t.test('a file that cannot be read is named', t => {
  const file = join(temporaryFolder(t), 'tokens.json')
  writeFileSync(file, '[{"id":1}]')
  t.throws(() => new TokenStore(file), { message: new RegExp(`^${file} cannot be read`) })
  t.end()
})
