import { readFileSync } from 'node:fs'
import t from 'tap'
import { createApp, type BuiltInAppParts, type AppSettings } from '#src/app/app.js'
import { openapi } from '#src/app/api/app-openapi.js'

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete']

/** Socket.IO serves these before the app, so they are not Express routes. */
const BESIDE_THE_APP = ['GET /socket.io/', 'POST /socket.io/']

const documented = Object.entries(openapi.paths).flatMap(([path, item]) =>
  Object.keys(item)
    .filter(name => METHODS.includes(name))
    .map(method => `${method.toUpperCase()} ${path}`),
)

void t.test('the OpenAPI description has exactly the routes of the app', t => {
  const routes = routesOf(appWithoutServices())
  t.strictSame(
    [...routes].filter(route => !documented.includes(route)),
    [],
    'each route is documented',
  )
  t.strictSame(
    documented.filter(route => !routes.has(route) && !BESIDE_THE_APP.includes(route)),
    [],
    'and each that is documented is there',
  )
  t.end()
})

void t.test('docs/http-api.md has the routes of the OpenAPI description', t => {
  const headings = readFileSync('docs/http-api.md', 'utf8').matchAll(/^### `([A-Z]+ \/\S*)`$/gm)
  t.strictSame([...headings].map(([, route]) => route).sort(), documented.sort())
  t.end()
})

void t.test('every reference in the OpenAPI description resolves, and every operation has its own name', t => {
  const { schemas } = openapi.components
  const referred = [...JSON.stringify(openapi).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!)
  t.strictSame(new Set(referred), new Set(Object.keys(schemas)))
  const names = [...JSON.stringify(openapi.paths).matchAll(/"operationId":"(\w+)"/g)].map(([, name]) => name)
  t.equal(names.length, documented.length)
  t.equal(new Set(names).size, names.length)
  t.end()
})

void t.test('the OpenAPI description has the version of the package', t => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  t.equal(openapi.info.version, version)
  t.end()
})

/** The app with nothing behind its routes. */
function appWithoutServices(): Layered {
  const nothing: unknown = new Proxy(() => undefined, {
    get: () => nothing,
    apply: () => nothing,
    construct: () => ({}),
  })
  const settings: object = { rateLimitMax: 0, rateLimitWindowMs: 1_000, production: false, workerName: undefined }
  return createApp(nothing as BuiltInAppParts, settings as AppSettings).router as unknown as Layered
}

interface Layered {
  stack: { route?: { path: string; methods: Record<string, boolean> }; handle: Partial<Layered> }[]
}

/** The routes in the notation of OpenAPI, without the files of the page. */
function routesOf({ stack }: Layered): Set<string> {
  const routes = stack.flatMap(({ route, handle }) => {
    if (route === undefined) return handle.stack === undefined ? [] : [...routesOf({ stack: handle.stack })]
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    const methods = Object.keys(route.methods).map(method => method.toUpperCase())
    // Express answers HEAD by the handler of GET. It is documented for uploads only, where it is useful.
    if (path === '/uploads/{key}') methods.push('HEAD')
    return path.startsWith('/assets/') ? [] : methods.map(method => `${method} ${path}`)
  })
  return new Set(routes)
}
