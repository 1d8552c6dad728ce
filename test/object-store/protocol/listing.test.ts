import t from 'tap'
import { listPage } from '#src/object-store/protocol/listing.js'
import { ObjectIndex } from '#src/object-store/disk/object-index.js'

function indexOf(keys: Iterable<string>): ObjectIndex {
  const index = new ObjectIndex()
  for (const key of keys) index.set(key, { size: 1, etag: 'e', lastModified: 0, uploadId: undefined })
  return index
}

function pages(index: ObjectIndex, query: { prefix?: string; delimiter?: string; maxKeys: number }): string[][] {
  const found: string[][] = []
  let after: string | undefined = ''
  while (after !== undefined) {
    const page = listPage(index, { prefix: '', delimiter: '', ...query, after })
    found.push([...page.contents.map(({ key }) => key), ...page.commonPrefixes])
    after = page.next
  }
  return found
}

void t.test('every page size gives the same whole', t => {
  const keys = Array.from({ length: 100 }, (_, index) => `${index % 7}/${index % 3}/${index}`)
  const index = indexOf(keys)
  for (const maxKeys of [1, 2, 3, 10, 100, 1000]) {
    t.same(pages(index, { maxKeys }).flat(), [...keys].sort())
    t.same(pages(index, { maxKeys, delimiter: '/' }).flat(), ['0/', '1/', '2/', '3/', '4/', '5/', '6/'])
    t.same(pages(index, { maxKeys, delimiter: '/', prefix: '3/' }).flat(), ['3/0/', '3/1/', '3/2/'])
    const one = keys.filter(key => key.startsWith('5/1/')).sort()
    t.same(pages(index, { maxKeys, delimiter: '/', prefix: '5/1/' }).flat(), one)
  }
  t.end()
})

void t.test('the last full page is known to be the last', t => {
  t.same(pages(indexOf(['a', 'b', 'c', 'd']), { maxKeys: 2 }), [['a', 'b'], ['c', 'd']]) // prettier-ignore
  t.same(pages(indexOf(['a/1', 'a/2', 'b/1']), { maxKeys: 2, delimiter: '/' }), [['a/', 'b/']])
  t.same(listPage(indexOf(['a']), { prefix: '', delimiter: '', after: '', maxKeys: 0 }).next, undefined)
  t.end()
})

void t.test('keys are in the order of their bytes, and a delimiter may be any text', t => {
  t.same(pages(indexOf(['😀', '\uFFFD', 'é', 'z']), { maxKeys: 10 }).flat(), ['z', 'é', '\uFFFD', '😀'])
  t.same(pages(indexOf(['aé1', 'aé2', 'b']), { maxKeys: 10, delimiter: 'é' }).flat(), ['b', 'aé'])
  t.same(pages(indexOf(['x--y', 'x-z']), { maxKeys: 10, delimiter: '--' }).flat(), ['x-z', 'x--'])
  t.end()
})

void t.test('a listing starts after a key, or after a common prefix with all that is under it', t => {
  const index = indexOf(['a', 'b/1', 'b/2', 'c'])
  const after = (after: string, delimiter: string) => {
    const page = listPage(index, { prefix: '', delimiter, after, maxKeys: 10 })
    return [...page.contents.map(({ key }) => key), ...page.commonPrefixes]
  }
  t.same(after('b/1', ''), ['b/2', 'c'])
  t.same(after('b/', '/'), ['c'])
  t.same(after('a', '/'), ['c', 'b/'])
  t.same(after('zzz', ''), [])
  t.end()
})
