import { readConfig, type ConfigFault } from '../config/config.js'
import { exit, exitCodes, type ExitCode } from '../process/exit.js'
import { startInstance, type Instance } from './instance.js'
import { SignalRecord } from './signal-record.js'

/** Starts an instance and keeps it until a signal ends it. Ends the process. */
export async function runPrimary(): Promise<never> {
  process.title = 'outpost primary'
  // The reader of the output may exit (`| head`). Nothing else depends on it, so the instance goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const signals = new SignalRecord()
  let instance: Instance
  try {
    const leftToApp: ConfigFault[] = []
    const config = readConfig(undefined, fault => leftToApp.push(fault))
    instance = await startInstance(config, leftToApp)
  } catch (error) {
    // A start fails because of the environment or the machine, which the user can correct.
    process.stderr.write(`outpost: ${(error as Error).message}\n`)
    exit(exitCodes.config)
  }
  exit(await Promise.race([untilStopped(instance, signals), portLost(instance)]))
}

async function untilStopped(instance: Instance, signals: SignalRecord): Promise<ExitCode> {
  let signal = await signals.next()
  while (signal === 'SIGHUP') {
    instance.reload()
    signal = await signals.next()
  }
  instance.log.info({ signal }, `instance is stopping: ${signal}`)
  const again = signals.nextBut('SIGHUP').then(() => exitCodes.failure)
  const stopped = instance.services.stop().then(() => {
    instance.release()
    return exitCodes.ok
  })
  return Promise.race([stopped, again])
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
