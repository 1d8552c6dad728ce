import t from 'tap'
import { describeControlApi } from '#src/control/openapi.js'
import { routes } from '#src/control/protocol.js'

interface Description {
  openapi: string
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, object> }>>
  components: { schemas: Record<string, object> }
}

const description = JSON.parse(JSON.stringify(describeControlApi())) as Description

void t.test('the description has every route and no other', async t => {
  const described = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => [operationId, method.toUpperCase(), path]),
  )
  t.strictSame(
    described,
    Object.entries(routes).map(([name, { method, path }]) => [name, method, path]),
  )
})

void t.test('every schema that is named is there', async t => {
  const named = [...JSON.stringify(description).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name)
  t.strictSame([...new Set(named)].sort(), Object.keys(description.components.schemas).sort())
})

void t.test('errors are described as problem documents, with their codes', async t => {
  const reload = description.paths['/v1/reload']?.['post']
  t.match(reload?.responses['500'], {
    description: /RELOAD_FAILED/,
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  })
})
