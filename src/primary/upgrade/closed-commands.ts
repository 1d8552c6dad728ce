import type { Commands } from '../../control/commands.js'
import { ControlError } from '../../control/protocol.js'

/**
 * Refuses commands while an upgrade is under way. Their changes would end with this instance, or be cut off in the middle.
 */
export function closedForUpgrade(commands: Commands, upgrade: { readonly isUnderWay: boolean }): Commands {
  const open = (): void => {
    if (upgrade.isUnderWay) throw new ControlError('UPGRADE_UNDER_WAY')
  }
  const unless = async <T>(command: () => Promise<T>): Promise<T> => {
    open()
    return command()
  }
  return {
    ...commands,
    reload: (...words) => unless(() => commands.reload(...words)),
    deploy: (...words) => unless(() => commands.deploy(...words)),
    setEnvironment: (...words) => unless(() => commands.setEnvironment(...words)),
    activate: (...words) => unless(() => commands.activate(...words)),
    rollback: (...words) => unless(() => commands.rollback(...words)),
    pause: wanted => unless(() => commands.pause(wanted)),
    scale: wanted => {
      open()
      return commands.scale(wanted)
    },
  }
}
