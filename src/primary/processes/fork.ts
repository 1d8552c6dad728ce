import cluster from 'node:cluster'
import { fork, type ChildProcess } from 'node:child_process'
import { edgeHeaderLimits, targetHeaderLimits } from '#balancer/contract/header-limits.js'
import { spawned } from './spawn.js'

/** Forks this program in a role: standard input closed, output and errors to the primary, the channel, the lifeline. */
export function forkProcess(
  role: 'balancer' | 'worker',
  program: string,
  id: string,
  lifelineFd: number,
): ChildProcess {
  const start = role === 'balancer' ? forkBalancer : forkWorker
  return spawned(() => start(program, id, lifelineFd))
}

function forkBalancer(program: string, id: string, lifelineFd: number): ChildProcess {
  return fork(program, ['balancer', id], { stdio: stdioWith(lifelineFd) })
}

function forkWorker(program: string, id: string, lifelineFd: number): ChildProcess {
  const { maxHeaderBytes } = targetHeaderLimits(edgeHeaderLimits)
  // With a smaller space for young objects, streamed files leave less garbage in memory.
  const execArgv = [...process.execArgv, `--max-http-header-size=${maxHeaderBytes}`, '--max-semi-space-size=8']
  cluster.setupPrimary({ exec: program, args: ['worker', id], execArgv, stdio: stdioWith(lifelineFd) })
  const worker = cluster.fork()
  // The worker re-emits errors of its process, which would be uncaught. Node also never unlists a failed fork.
  worker.on('error', () => {
    if (worker.process.pid === undefined) Reflect.deleteProperty(cluster.workers ?? {}, worker.id)
  })
  return worker.process
}

function stdioWith(lifelineFd: number): Array<'ignore' | 'pipe' | 'ipc' | number> {
  return ['ignore', 'pipe', 'pipe', 'ipc', lifelineFd]
}
