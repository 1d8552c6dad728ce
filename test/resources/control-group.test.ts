import t from 'tap'
import { coresAllowed, memoryAllowed, type Read } from '#src/resources/control-group.js'

const MIB = 2 ** 20

function filesOf(files: Record<string, string>): Read {
  return path => files[path]
}

/** Version 2, with a group in a group. */
function groups(files: Record<string, string>): Read {
  const inFolder = Object.entries(files).map(([name, text]): [string, string] => [`/sys/fs/cgroup/${name}`, text])
  return filesOf({
    '/proc/self/cgroup': '0::/shop/web\n',
    '/proc/meminfo': 'MemTotal:  8192000 kB\nMemAvailable:  4096000 kB\n',
    ...Object.fromEntries(inFolder),
  })
}

/** Version 1. */
const old = {
  '/proc/self/cgroup': '4:memory:/shop\n3:cpuset:/\n1:cpu,cpuacct:/shop\n',
  '/proc/meminfo': 'MemTotal: 8192000 kB\nMemAvailable: 4096000 kB\n',
}

void t.test('without a quota the cores are those of the machine', t => {
  t.equal(coresAllowed(filesOf({}), 8), 8)
  t.equal(coresAllowed(groups({ 'shop/web/cpu.max': 'max 100000' }), 8), 8)
  t.equal(coresAllowed(filesOf({ ...old, '/sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us': '-1' }), 8), 8)
  t.ok(coresAllowed() >= 1)
  t.end()
})

void t.test('a CPU quota of the group, or of one above it, limits the cores', t => {
  t.equal(coresAllowed(groups({ 'shop/web/cpu.max': '250000 100000' }), 8), 2)
  t.equal(coresAllowed(groups({ 'shop/web/cpu.max': '400000 100000', 'shop/cpu.max': '300000 100000' }), 8), 3)
  t.equal(coresAllowed(groups({ 'shop/web/cpu.max': '50000 100000' }), 8), 1, 'at least one')
  t.equal(coresAllowed(groups({ 'shop/web/cpu.max': '900000 100000' }), 8), 8)
  const quota = { '/sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us': '200000' }
  t.equal(coresAllowed(filesOf({ ...old, ...quota, '/sys/fs/cgroup/cpu/shop/cpu.cfs_period_us': '100000' }), 8), 2)
  t.end()
})

void t.test('without a limit the memory is that of the machine', t => {
  t.strictSame(memoryAllowed(groups({ 'shop/web/memory.max': 'max' })), {
    freeBytes: 4_000 * MIB,
    totalBytes: 8_000 * MIB,
  })
  t.strictSame(memoryAllowed(filesOf({})), { freeBytes: Infinity, totalBytes: Infinity })
  const limit = { '/sys/fs/cgroup/memory/shop/memory.limit_in_bytes': '9223372036854771712' }
  t.match(memoryAllowed(filesOf({ ...old, ...limit })), { totalBytes: 8_000 * MIB })
  t.ok(memoryAllowed().freeBytes > 0)
  t.end()
})

void t.test('the memory of a group is what is left of its limit, cached files not counted', t => {
  const group = {
    'shop/web/memory.max': String(1_000 * MIB),
    'shop/web/memory.current': String(900 * MIB),
    'shop/web/memory.stat': `anon 1\ninactive_file ${300 * MIB}\nactive_file 5\n`,
  }
  t.strictSame(memoryAllowed(groups(group)), { freeBytes: 400 * MIB, totalBytes: 1_000 * MIB })
  const folder = '/sys/fs/cgroup/memory/shop/memory'
  const limits = { [`${folder}.limit_in_bytes`]: String(500 * MIB), [`${folder}.usage_in_bytes`]: String(100 * MIB) }
  t.strictSame(memoryAllowed(filesOf({ ...old, ...limits })), { freeBytes: 400 * MIB, totalBytes: 500 * MIB })
  t.end()
})
