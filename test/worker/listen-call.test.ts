import t from 'tap'
import { isEverywhere, listenCall } from '#src/worker/listen-call.js'

const callback = (): void => undefined

const calls: Array<[form: string, args: unknown[], call: object]> = [
  ['a port', [8_080], { kind: 'port', port: 8_080, host: undefined }],
  ['the text of a port', ['8080', callback], { kind: 'port', port: 8_080, callback }],
  ['port and host', [80, '127.0.0.1', callback], { kind: 'port', port: 80, host: '127.0.0.1', callback }],
  ['port and backlog', [80, 511], { kind: 'port', port: 80, host: undefined }],
  ['options', [{ port: '80', host: '::' }, callback], { kind: 'port', port: 80, host: '::', callback }],
  ['options with any port', [{ port: undefined }], { kind: 'port', port: 0 }],
  ['nothing', [], { kind: 'port', port: 0 }],
  ['a callback', [callback], { kind: 'port', port: 0, callback }],
  ['an undefined port', [undefined, callback], { kind: 'port', port: 0, callback }],
  ['a unix path', ['/run/app.sock'], { kind: 'path', path: '/run/app.sock' }],
  ['a unix path in options', [{ path: '/run/app.sock' }], { kind: 'path', path: '/run/app.sock' }],
  ['a descriptor', [{ fd: 3 }, callback], { kind: 'descriptor', fd: 3, callback }],
  ['a descriptor that is none', [{ fd: -1 }], { kind: 'other' }],
  ['an open handle', [{ _handle: {} }], { kind: 'other' }],
  ['a port that is none', [65_536], { kind: 'other' }],
]

for (const [form, args, call] of calls) {
  void t.test(`listen takes ${form}`, t => {
    t.match(listenCall(args), call)
    t.end()
  })
}

void t.test('clients of any interface are accepted at an unspecified address', t => {
  for (const host of [undefined, '', '0.0.0.0', '::']) t.ok(isEverywhere(host), host ?? 'none')
  t.notOk(isEverywhere('10.0.0.1'))
  t.end()
})
