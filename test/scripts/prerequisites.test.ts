import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BareMachine, nodeThatSays } from '../helpers/bare-machine.js'

const END_OF_LIFE = 'outpost: Node.js 20 reached its end of life in April 2026: Node.js 24 is the better choice'
const NEEDED = 'install Node.js 24, 26, 22 (22.19 or newer) or 20 (20.19.2 or newer)'

void t.test('every supported Node is used as it is', t => {
  const machine = new BareMachine(t)
  for (const version of ['22.19.0', '22.23.3', '24.0.0', '26.10.0']) {
    machine.hasNode(version)
    const { code, said, started } = machine.start()
    t.strictSame({ code, said, path: started?.PATH }, { code: 0, said: [], path: machine.bin }, version)
  }
  t.end()
})

void t.test('Node 20 is used, and one line says that it has ended', t => {
  const machine = new BareMachine(t)
  for (const version of ['20.19.2', '20.20.2']) {
    machine.hasNode(version)
    const { code, said, started } = machine.start()
    t.strictSame({ code, said, path: started?.PATH }, { code: 0, said: [END_OF_LIFE], path: machine.bin }, version)
  }
  t.end()
})

void t.test('without a supported Node and a way to get one, one line says what to install', t => {
  const machine = new BareMachine(t)
  machine.has('npm', 'exit 1')
  for (const version of ['18.20.4', '20.9.0', '20.19.1', '21.7.3', '22.2.0', '22.18.0']) {
    machine.hasNode(version)
    const { code, said, started } = machine.start()
    t.strictSame({ code, started }, { code: 1, started: undefined }, version)
    t.equal(said.at(-1), `outpost: Node.js ${version} is not supported: ${NEEDED}`)
  }
  t.end()
})

void t.test('without Node and npm, one line says what to install', t => {
  const machine = new BareMachine(t)
  rmSync(join(machine.bin, 'npm'))
  t.strictSame(machine.start(), { code: 1, said: [`outpost: Node.js is missing: ${NEEDED}`], started: undefined })
  t.end()
})

void t.test('the system’s Node is installed where it is new enough', t => {
  const machine = new BareMachine(t)
  const node = nodeThatSays('20.19.2').replaceAll("'", `'\\''`)
  machine.has('apt-cache', 'echo "nodejs:"; echo "  Candidate: 20.19.2+dfsg-1"')
  machine.has('apt-get', `printf '#!/bin/sh\\n%s\\n' '${node}' >${machine.bin}/node; chmod 755 ${machine.bin}/node`)
  machine.has('chmod', 'exec /bin/chmod "$@"')
  machine.has('sudo', 'exec "$@"')
  const { code, said, started } = machine.start()
  t.equal(code, 0)
  t.strictSame(said, ["outpost: installing the system's Node.js 20.19.2+dfsg-1", END_OF_LIFE])
  t.equal(started?.PATH, machine.bin)
  t.end()
})

void t.test('if the system’s Node is too old, its npm fetches one into the cache, once', t => {
  const machine = new BareMachine(t)
  const prefix = join(machine.cache, 'outpost/node/24')
  const bin = join(prefix, 'node_modules/node/bin')
  machine.hasNode('18.20.4')
  machine.has('new-node', nodeThatSays('24.21.0'))
  machine.has('apt-cache', 'echo "  Candidate: 18.20.4+dfsg-1~deb12u3"')
  machine.has('apt-get', 'exit 1')
  machine.has('npm', `[ "$1" = install ] || exit 0; mkdir -p ${bin}; ln -s ${machine.bin}/new-node ${bin}/node`)
  for (const said of [[`outpost: fetching Node.js 24 into ${prefix}`], []]) {
    const run = machine.start()
    t.strictSame({ code: run.code, said: run.said }, { code: 0, said })
    t.equal(run.started?.PATH, `${bin}:${machine.bin}`)
  }
  t.ok(existsSync(bin))
  t.end()
})

void t.test('package.json asks for the Nodes that the scripts support', t => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } }
  t.equal(engines.node, '^20.19.2 || >=22.19.0')
  t.end()
})
