import { fileURLToPath } from 'node:url'
import { readConfig, type ConfigFault } from '../config/config.js'
import { exit, exitCodes, exitLike, type ExitCode } from '../process/exit.js'
import { giveMemoryBack } from '../resources/resting-memory.js'
import { startInstance, type Instance, type InstanceStart } from './instance.js'
import { SignalRecord } from './signal-record.js'
import { Launched } from './upgrade/launched.js'
import { Launcher } from './upgrade/launcher.js'

const PRIMARY = 'outpost primary'

/** This file is one folder below dist/, as the chunks of the bundle are. */
const program = fileURLToPath(new URL('../main.js', import.meta.url))

/** The time of a start apart from that of the app, which START_TIMEOUT_MS bounds. */
const START_RESERVE_MS = 60_000

/** Starts an instance and keeps it until a signal or an upgrade ends it. Ends the process. */
export async function runPrimary(): Promise<never> {
  const signals = begin(PRIMARY)
  const settings = readSettings()
  const launcher = new Launcher({ node: process.execPath, program }, settings.config.dataDir)
  const instance = await started({ settings, successors: launcher })
  const ending = await Promise.race([untilStopped(instance, signals), portLost(instance)])
  if (ending === 'handed over') exitLike(await launcher.run())
  exit(ending)
}

/** Waits until the program before this one has ended, and goes on in its place, at the same port. Ends the process. */
export async function runStandby(): Promise<never> {
  const signals = begin('outpost standby')
  const launched = new Launched(() => process.kill(process.pid, 'SIGTERM'))
  const inherited = await launched.take()
  const settings = readSettings(reason => launched.failed(reason))
  const giveUp = (): never => exit(exitCodes.ok)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, giveUp)
  const failure = await launched.standBy(settings.config.startTimeoutMs + START_RESERVE_MS)
  // From now on a signal is noted, and ends what has been started.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, giveUp)
  process.title = PRIMARY
  const instance = await started({ settings, successors: launched, inherited }, reason => launched.failed(reason))
  if (failure !== undefined) instance.log.error({ failure }, 'upgrade has failed: this version serves again')
  void instance.served().then(
    () => launched.serving(),
    (error: unknown) => launched.failed((error as Error).message),
  )
  const ending = await Promise.race([untilStopped(instance, signals), portLost(instance)])
  exit(ending === 'handed over' ? exitCodes.ok : ending)
}

function begin(title: string): SignalRecord {
  process.title = title
  // The reader of the output may exit (`| head`). Nothing else depends on it, so the instance goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  giveMemoryBack()
  return new SignalRecord()
}

type Settings = Pick<InstanceStart, 'config' | 'leftToApp'>

/** A start fails because of the environment or the machine, which the user can correct. */
function cannotStart(error: unknown, tell: (reason: string) => void = () => undefined): never {
  const { message } = error as Error
  tell(message)
  process.stderr.write(`outpost: ${message}\n`)
  exit(exitCodes.config)
}

function readSettings(tell?: (reason: string) => void): Settings {
  const leftToApp: ConfigFault[] = []
  try {
    return { config: readConfig(undefined, fault => leftToApp.push(fault)), leftToApp }
  } catch (error) {
    cannotStart(error, tell)
  }
}

async function started(
  { settings, ...rest }: Omit<InstanceStart, keyof Settings> & { settings: Settings },
  tell?: (reason: string) => void,
): Promise<Instance> {
  try {
    return await startInstance({ ...settings, ...rest })
  } catch (error) {
    cannotStart(error, tell)
  }
}

async function untilStopped(instance: Instance, signals: SignalRecord): Promise<ExitCode | 'handed over'> {
  let next = signals.next()
  for (;;) {
    const event = await Promise.race([next, instance.handover.wanted])
    if (event === undefined) return handOver(instance, signals, next)
    next = signals.next()
    if (event !== 'SIGHUP') return stopBy(event, instance, signals, next)
    instance.reload()
  }
}

async function stopBy(
  signal: NodeJS.Signals,
  instance: Instance,
  signals: SignalRecord,
  next: Promise<NodeJS.Signals>,
): Promise<ExitCode> {
  instance.log.info({ signal }, `instance is stopping: ${signal}`)
  // When nothing is left that keeps this process, it has stopped, whether that was told or not.
  process.exitCode = exitCodes.ok
  instance.handover.cancel()
  const stopped = instance.services.stop().then(() => {
    instance.release()
    return exitCodes.ok
  })
  return Promise.race([stopped, endOf(signals, next).then(() => exitCodes.failure)])
}

/** A signal in the meantime stops the instance, and nothing takes over. */
async function handOver(
  instance: Instance,
  signals: SignalRecord,
  next: Promise<NodeJS.Signals>,
): Promise<ExitCode | 'handed over'> {
  const signalled = endOf(signals, next)
  const begun = await Promise.race([instance.handover.begin(), signalled])
  if (begun !== undefined) return stopBy(begun, instance, signals, signals.next())
  const stopped = instance.services.stop().then(() => {
    instance.release(instance.handover.isUnderWay)
    return 'handed over' as const
  })
  const first = await Promise.race([stopped, signalled])
  if (first === 'handed over') return first
  instance.handover.cancel()
  return Promise.race([stopped.then(() => exitCodes.ok), signals.nextBut('SIGHUP').then(() => exitCodes.failure)])
}

/** The first signal that ends the instance. @param next a signal that is waited for already */
async function endOf(signals: SignalRecord, next: Promise<NodeJS.Signals>): Promise<NodeJS.Signals> {
  const signal = await next
  return signal === 'SIGHUP' ? signals.nextBut('SIGHUP') : signal
}

/** Resolves only if another program took the port between the bind and the first balancer. */
async function portLost(instance: Instance): Promise<ExitCode> {
  const error = await instance.serving.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => error as Error,
  )
  process.stderr.write(`outpost: ${error.message}\n`)
  await instance.services.stop()
  instance.release()
  return exitCodes.config
}
