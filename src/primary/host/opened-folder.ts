import type { Config, ConfigFault } from '../../config/config.js'
import { createLog, type Logger } from '../../process/log.js'
import { InstanceFolder } from './instance-folder.js'
import { lockInstance } from './instance-lock.js'
import { endLeftovers } from './lifeline.js'
import { LogFile } from './log-file.js'

/** DATA_DIR while this instance has it to itself, and the log in it. */
export interface OpenedFolder {
  folder: InstanceFolder
  unlock: () => void
  logFile: LogFile
  /** Writes to the standard output and to the log. */
  print: (line: string) => void
  log: Logger
}

/** Takes DATA_DIR, opens the log, and ends what an earlier instance has left. @throws {Error} if another one has it */
export async function openFolder(config: Config, leftToApp: readonly ConfigFault[]): Promise<OpenedFolder> {
  const folder = new InstanceFolder(config.dataDir)
  const unlock = lockInstance(folder.lockFile, config.dataDir)
  const logFile = new LogFile(folder.logsDir, config.logMaxBytes)
  const print = (line: string): void => {
    process.stdout.write(line)
    logFile.write(line)
  }
  const log = createLog('primary', config.logLevel, { write: print })
  for (const { name, value, accepted } of leftToApp) {
    log.warn(`${name}=${value} is left to the app: Outpost accepts ${accepted}; OUTPOST_${name} is never the app's`)
  }
  const leftovers = await endLeftovers(folder.lifeline)
  if (leftovers > 0) log.warn({ processes: leftovers }, 'leftover processes of an earlier instance were ended')
  folder.clearSockets()
  folder.linkRunDir()
  return { folder, unlock, logFile, print, log }
}
