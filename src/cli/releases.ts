import type { Command } from 'commander'
import type { ReleaseInfo } from '../control/protocol.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import type { Colour } from './paint.js'
import { table } from './table.js'
import { duration } from './units.js'

const COLUMNS = [{ title: 'RELEASE' }, { title: 'STATE' }, { title: 'AGE', right: true }, { title: 'SOURCE' }]

const COLOURS: Partial<Record<ReleaseInfo['state'], Colour>> = {
  live: 'green',
  deploying: 'yellow',
  preview: 'yellow',
  'taken-back': 'red',
}

export function addReleases(program: Command, context: Context): void {
  instanceCommand(program, 'releases', 'lists the releases and their states').action(
    async (options: InstanceOptions) => {
      const { output } = context
      const releases = await (await instanceOf(options, context)).client.releases()
      if (options.json === true) return output.json({ releases })
      const rows = releases.map(({ id, state, at, source, reason }) => [
        id,
        output.paint(COLOURS[state] ?? 'dim', state),
        at === undefined ? '-' : duration(Date.now() - Date.parse(at)),
        reason === undefined ? source : `${source}: ${reason}`,
      ])
      output.print(...table(COLUMNS, rows))
    },
  )
}
