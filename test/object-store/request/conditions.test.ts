import t from 'tap'
import { requireReadable, requireWritable } from '#src/object-store/request/conditions.js'

const object = { etag: 'abc', lastModified: Date.parse('2024-05-01T10:00:00.700Z') }
const same = 'Wed, 01 May 2024 10:00:00 GMT'
const earlier = 'Wed, 01 May 2024 09:59:59 GMT'
const failed = { code: 'PreconditionFailed' }
const unchanged = { code: 'NotModified' }

void t.test('a read depends on the entity tag that it names', t => {
  t.doesNotThrow(() => requireReadable(object, { ifMatch: '"abc"' }))
  t.doesNotThrow(() => requireReadable(object, { ifMatch: '"x", "abc"' }))
  t.doesNotThrow(() => requireReadable(object, { ifMatch: '*' }))
  t.throws(() => requireReadable(object, { ifMatch: '"x"' }), failed)
  t.throws(() => requireReadable(object, { ifNoneMatch: 'W/"abc"' }), unchanged)
  t.throws(() => requireReadable(object, { ifNoneMatch: '*' }), unchanged)
  t.doesNotThrow(() => requireReadable(object, { ifNoneMatch: '"x"' }))
  t.end()
})

void t.test('a read depends on the date that it names, in whole seconds, and not on an unusable one', t => {
  t.throws(() => requireReadable(object, { ifModifiedSince: same }), unchanged)
  t.doesNotThrow(() => requireReadable(object, { ifModifiedSince: earlier }))
  t.doesNotThrow(() => requireReadable(object, { ifUnmodifiedSince: same }))
  t.throws(() => requireReadable(object, { ifUnmodifiedSince: earlier }), failed)
  t.doesNotThrow(() => requireReadable(object, { ifModifiedSince: 'x', ifUnmodifiedSince: 'x' }))
  t.end()
})

void t.test('an entity tag outranks a date', t => {
  t.doesNotThrow(() => requireReadable(object, { ifMatch: '"abc"', ifUnmodifiedSince: earlier }))
  t.doesNotThrow(() => requireReadable(object, { ifNoneMatch: '"x"', ifModifiedSince: same }))
  t.end()
})

void t.test('a write depends on the entity tag that it names', t => {
  t.doesNotThrow(() => requireWritable(undefined, { ifNoneMatch: '*' }))
  t.throws(() => requireWritable(object, { ifNoneMatch: '*' }), failed)
  t.throws(() => requireWritable(object, { ifNoneMatch: '"abc"' }), { code: 'NotImplemented' })
  t.doesNotThrow(() => requireWritable(object, { ifMatch: '"abc"' }))
  t.throws(() => requireWritable(object, { ifMatch: '"x"' }), failed)
  t.throws(() => requireWritable(undefined, { ifMatch: '"abc"' }), { code: 'NoSuchKey' })
  t.end()
})
