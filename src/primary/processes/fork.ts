import cluster from 'node:cluster'
import { fork, type ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { edgeHeaderLimits, targetHeaderLimits } from '#balancer/contract/header-limits.js'
import { nodeOptions, spareEnvironment } from '../../config/app-environment.js'
import { guardGate } from '../../ipc/gate.js'
import type { StartSpec } from '../plan/action.js'
import { spawned } from './spawn.js'

/** A worker that runs somebody else's app as its main module. */
export interface AppLaunch {
  file: string
  args: readonly string[]
  cwd: string
  /** Variables in addition to the primary's own environment. */
  env: Readonly<Record<string, string>>
}

export interface ForkOptions {
  /** The program: `dist/main.js`. */
  program: string
  lifelineFd: number
  /** The app of a worker; undefined for the built-in one. */
  app?: (spec: StartSpec) => AppLaunch | undefined
}

type Stdio = Array<'ignore' | 'pipe' | 'ipc' | number>

/** Forks a process in a role: standard input closed, output and errors to the primary, the channel, the lifeline. */
export function forkProcess(id: string, spec: StartSpec, options: ForkOptions): ChildProcess {
  const { program, lifelineFd, app } = options
  const stdio: Stdio = ['ignore', 'pipe', 'pipe', 'ipc', lifelineFd]
  if (spec.role === 'balancer') return spawned(() => forkBalancer(program, id, stdio))
  return spawned(() => forkWorker(program, id, stdio, app?.(spec)))
}

/** Forks a worker that waits before it runs anything of the app, until its gate is opened. */
export function forkSpare({ program, lifelineFd }: ForkOptions, app: AppLaunch): ChildProcess {
  const stdio: Stdio = ['ignore', 'pipe', 'pipe', 'ipc', lifelineFd, 'pipe']
  const spare = spawned(() => forkWorker(program, '', stdio, { ...app, env: { ...app.env, ...spareEnvironment } }))
  guardGate(spare)
  return spare
}

/**
 * The garbage of a handshake is collected sooner in a small space for young objects. In the usual one of 16 MiB, much of
 * it is carried into the old space, where it stays while nothing else happens: 5 KiB for each idle WebSocket.
 */
function forkBalancer(program: string, id: string, stdio: Stdio): ChildProcess {
  return fork(program, ['balancer', id], { stdio, execArgv: [...process.execArgv, '--max-semi-space-size=4'] })
}

function forkWorker(program: string, id: string, stdio: Stdio, app: AppLaunch | undefined): ChildProcess {
  const { maxHeaderBytes } = targetHeaderLimits(edgeHeaderLimits)
  // With a smaller space for young objects, streamed files leave less garbage in memory.
  const execArgv = [...process.execArgv, `--max-http-header-size=${maxHeaderBytes}`, '--max-semi-space-size=8']
  if (app === undefined) cluster.setupPrimary({ exec: program, args: ['worker', id], execArgv, stdio })
  else {
    const { file, args, cwd } = app
    const preload = join(dirname(program), 'preload.cjs')
    cluster.setupPrimary({ exec: file, args: [...args], execArgv: [...execArgv, '--require', preload], stdio, cwd })
  }
  const worker = cluster.fork({ ...nodeOptions(), ...app?.env })
  // The worker re-emits errors of its process, which would be uncaught. Node also never unlists a failed fork.
  worker.on('error', () => {
    if (worker.process.pid === undefined) Reflect.deleteProperty(cluster.workers ?? {}, worker.id)
  })
  return worker.process
}
