import type { ChildProcess } from 'node:child_process'
import { nodeOptions, startFolder, workerEnvironment } from '../../config/app-environment.js'
import { findAppModule, moduleOfRelease } from '../../config/app-module.js'
import { configFor, type Config } from '../../config/config.js'
import { keptFolderBeside } from '../../ipc/kept-folder-path.js'
import { embeddables, isElsewhere, mayEmbed } from '../../config/embedding.js'
import { openGate } from '../../ipc/gate.js'
import type { Report, StartOrder } from '../../ipc/messages.js'
import type { PublicPort } from '../host/public-port.js'
import type { StartSpec } from '../plan/action.js'
import { realPath } from '../../process/real-path.js'
import { codeOf, type AppCode } from './app-code.js'
import { Child, type ChildObserver } from './child.js'
import { forkSpare, type AppLaunch, type ForkOptions } from './fork.js'
import { KnownEntries } from './known-entries.js'
import { Spare } from './spare.js'

/** The settings that the processes of an instance are started with. */
export interface ChildFactoryOptions {
  config: Config
  fork: ForkOptions
  publicPort: PublicPort
  /** The variables that tell an app of the servers that run for it. */
  appEnvironment: Readonly<Record<string, string>>
  socketOf: (workerId: string) => string
  redis: StartOrder['redis']
  storage: StartOrder['storage']
  sessionSecret: string
  identityKey: string
  /** The files of a release; undefined for the code that the program was started with. */
  filesOf?: (release: string) => ReleaseFiles | undefined
}

/** A release as workers run it. */
interface ReleaseFiles {
  /** Undefined for the code that the program was started with. */
  folder?: string | undefined
  /** The file of its app, from the folder, if that is known. */
  main?: string | undefined
  /** Variables that are pinned to it. */
  env: Readonly<Record<string, string>>
}

/** Starts balancers and workers, each with an id of its own and its first orders. */
export class ChildFactory {
  readonly #forkOptions: ForkOptions
  readonly #nextId = { worker: 1, balancer: 1 }
  readonly #spare = new Spare()
  readonly #entries = new KnownEntries()
  /** The code that each worker was started with. */
  readonly #codes = new WeakMap<Child, AppCode>()
  #portIsOpen = false
  #workers: number

  constructor(
    private readonly options: ChildFactoryOptions,
    private readonly observer: ChildObserver,
  ) {
    this.#workers = Math.max(1, options.config.workers.min)
    this.#forkOptions = { ...options.fork, app: spec => this.#launchOf(spec) }
  }

  start(spec: StartSpec): Child {
    const id = String(this.#nextId[spec.role]++)
    const spare = spec.role === 'worker' ? this.#takeSpare(spec) : undefined
    const child =
      spare === undefined
        ? Child.fork(id, spec, this.#forkOptions, this.observer)
        : Child.adopt(id, spec, spare, this.observer)
    if (spec.role === 'worker') this.#startWorker(child)
    else this.#startBalancer(child)
    return child
  }

  /** Keeps a process ready for the next worker of this kind. There is none for the built-in app. */
  prepareSpare(spec: StartSpec): void {
    const launch = this.#launchOf(spec)
    // Modules that --require names run before anything of Outpost, and must not run before their time.
    const options = [...process.execArgv, nodeOptions()['NODE_OPTIONS'], launch?.env['NODE_OPTIONS']].join(' ')
    if (launch === undefined || REQUIRES.test(options)) return this.dropSpare()
    this.#spare.prepare(keyOf(launch), () => forkSpare(this.#forkOptions, launch))
  }

  get hasSpare(): boolean {
    return this.#spare.isReady
  }

  dropSpare(): void {
    this.#spare.drop()
  }

  /** @returns whether later workers with the same code wait no more, from now on */
  noteServedBy(child: Child, { by, waited }: Extract<Report, { type: 'served-by' }>): boolean {
    const code = this.#codes.get(child)
    return code !== undefined && this.#entries.note({ release: child.spec.release, code }, by, waited)
  }

  #takeSpare(spec: StartSpec): ChildProcess | undefined {
    const launch = this.#launchOf(spec)
    const spare = launch && this.#spare.take(keyOf(launch))
    if (spare !== undefined) openGate(spare)
    return spare
  }

  #launchOf({ release, place }: StartSpec): AppLaunch | undefined {
    const { config, publicPort, appEnvironment, filesOf } = this.options
    const { folder, main, env } = filesOf?.(release) ?? { env: {} }
    const started = startFolder()
    const path = folder ?? config.app
    if (path === undefined) return undefined
    const found = folder === undefined ? findAppModule(path) : moduleOfRelease(folder, main, config.app, started)
    // An app that is not there any more is left to Node, which says so.
    const { file, args } = found ?? { file: path, args: [] }
    const own = workerEnvironment(publicPort.port, place, config.incrementVar)
    return {
      file,
      args: [...args, ...config.appArgs],
      cwd: folder ?? started,
      env: { ...appEnvironment, ...env, ...own },
    }
  }

  #startWorker(child: Child): void {
    const { config, publicPort, redis, storage, sessionSecret, identityKey, socketOf } = this.options
    const launch = this.#launchOf(child.spec)
    const code = launch && codeOf(launch.file)
    if (code !== undefined) this.#codes.set(child, code)
    if (launch !== undefined && config.appReady === 'message') child.awaitWord()
    const servedBy = code === undefined ? undefined : this.#entries.of({ release: child.spec.release, code })
    child.send({
      type: 'start',
      id: child.id,
      config: configFor('worker', config),
      workers: this.#workers,
      socketPath: socketOf(child.id),
      publicPort: publicPort.port,
      mesh: config.balancers === 0,
      ...(servedBy !== undefined && { servedBy }),
      redis,
      storage,
      elsewhere: embeddables.filter(service => isElsewhere(config, service)),
      embeddable: embeddables.filter(service => mayEmbed(config, service)),
      sessionSecret,
      identityKey,
    })
  }

  #startBalancer(child: Child): void {
    const { config, identityKey, socketOf } = this.options
    child.send({
      type: 'start-balancer',
      id: child.id,
      config: configFor('balancer', config),
      identityKey,
      // One has all copies in its memory.
      ...(config.balancers > 1 && { keptFolder: keptFolderBeside(socketOf(child.id)) }),
    })
    if (this.#portIsOpen) this.#letListen(child)
  }

  /** From now on `count` workers share their limits: those that run, and each that is started. */
  shareAmong(count: number, workers: readonly Child[]): void {
    this.#workers = count
    for (const worker of workers) worker.send({ type: 'workers', workers: count })
  }

  /** Balancers listen from now on: those that run, and each that is started. */
  openPort(balancers: readonly Child[]): void {
    this.#portIsOpen = true
    for (const balancer of balancers) this.#letListen(balancer)
  }

  #letListen(balancer: Child): void {
    balancer.send({ type: 'listen' }, this.options.publicPort.handle)
  }
}

const REQUIRES = /(^|\s)(-r|--require)(?![\w-])/

/** Two launches with the same key run the same. A link in the path of the folder may have been moved. */
function keyOf(launch: AppLaunch): string {
  return JSON.stringify([launch, realPath(launch.cwd)])
}
