import t from 'tap'
import { unitOf, type UnitFacts } from '#src/cli/systemd-unit.js'

const facts: UnitFacts = {
  description: 'Outpost: shop',
  cwd: '/srv/shop',
  outpost: ['/usr/bin/node', '--', '/opt/outpost/dist/cli.js'],
  start: ['/srv/shop', '--data-dir', '/srv/shop/.outpost'],
  dataDir: '/srv/shop/.outpost',
  runAs: 'shop',
  port: undefined,
}

void t.test('a unit of the system starts at boot, as the user, and reloads', t => {
  const unit = unitOf(facts)
  for (const line of [
    'User=shop',
    'WorkingDirectory=/srv/shop',
    'ExecStart=/usr/bin/node -- /opt/outpost/dist/cli.js start /srv/shop --data-dir /srv/shop/.outpost',
    'ExecReload=/usr/bin/node -- /opt/outpost/dist/cli.js reload --data-dir /srv/shop/.outpost',
    'KillMode=mixed',
    'Restart=on-failure',
    'RestartPreventExitStatus=78',
    'WantedBy=multi-user.target',
  ]) {
    t.ok(unit.includes(`\n${line}\n`), line)
  }
  t.notMatch(unit, /AmbientCapabilities/)
  t.end()
})

void t.test('a unit of the user’s own manager names no user', t => {
  const unit = unitOf({ ...facts, runAs: undefined, port: 80 })
  t.notMatch(unit, /User=|network-online|AmbientCapabilities/)
  t.match(unit, /\nWantedBy=default\.target\n/)
  t.end()
})

void t.test('only a low port needs a right of its own', t => {
  t.match(unitOf({ ...facts, port: 443 }), /\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n/)
  t.notMatch(unitOf({ ...facts, port: 3000 }), /AmbientCapabilities/)
  t.notMatch(unitOf({ ...facts, port: 443, runAs: 'root' }), /AmbientCapabilities/)
  t.end()
})

void t.test('nothing in a word is expanded or split by systemd', t => {
  const unit = unitOf({ ...facts, start: ['two words', '100%', '$HOME', 'say "no"', 'C:\\x', "it's"] })
  t.match(unit, `start "two words" 100%% $$HOME "say \\"no\\"" "C:\\\\x" "it's"\n`)
  t.match(unitOf({ ...facts, cwd: '/srv/100% shop' }), '\nWorkingDirectory=/srv/100%% shop\n')
  t.end()
})
