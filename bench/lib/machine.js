import fs from 'node:fs'
import os from 'node:os'
import { spawnSync } from 'node:child_process'
import { findProgram } from './processes.js'

/** What somebody needs to know to judge the figures, and nothing that says whose machine it is. */
export function machineFacts() {
  return {
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    node: process.version,
    nginx: versionOf('nginx', '-v'),
    haproxy: versionOf('haproxy', '-v'),
    wrk: versionOf('wrk', '-v'),
    redis: versionOf('redis-server', '--version'),
    pm2: packageVersion('../node_modules/pm2/package.json'),
    /** Other work on the machine shows here. */
    loadBefore: os.loadavg()[0],
  }
}

function versionOf(name, flag) {
  const program = findProgram(name)
  if (program === undefined) return 'not installed'
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown'
}

function packageVersion(file) {
  try {
    return JSON.parse(fs.readFileSync(new URL(file, import.meta.url), 'utf8')).version
  } catch {
    return 'not installed'
  }
}
