import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import * as z from 'zod'
import { benchFolder } from './paths.js'
import { findProgram } from './processes.js'

/** The facts that a reader needs to judge the figures. None of them identifies the machine. */
export interface Machine {
  processor: string
  cores: number
  memoryGiB: number
  kernel: string
  node: string
  nginx: string
  haproxy: string
  wrk: string
  redis: string
  pm2: string
  /** The load average, which shows other work on the machine. */
  loadBefore: number
}

/** @param node the Node that runs the peers */
export function machineFacts(node: string): Machine {
  return {
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    nginx: versionOf('nginx', '-v'),
    haproxy: versionOf('haproxy', '-v'),
    wrk: versionOf('wrk', '-v'),
    redis: versionOf('redis-server', '--version'),
    pm2: pm2Version(),
    loadBefore: os.loadavg()[0] ?? 0,
  }
}

function versionOf(name: string, flag: string): string {
  const program = findProgram(name)
  if (program === undefined) return 'not installed'
  const { stdout, stderr } = spawnSync(program, [flag], { encoding: 'utf8' })
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown'
}

function pm2Version(): string {
  try {
    const text = fs.readFileSync(new URL('node_modules/pm2/package.json', benchFolder), 'utf8')
    return z.object({ version: z.string() }).parse(JSON.parse(text)).version
  } catch {
    return 'not installed'
  }
}
