import { Argument, type Command } from 'commander'
import { exitCodes } from '../process/exit.js'
import { instanceCommand, instanceOf, type Context, type InstanceOptions } from './context.js'
import { Failure } from './failure.js'
import { table } from './table.js'
import { duration } from './units.js'

const ACTIONS = ['create', 'list', 'revoke'] as const

type Action = (typeof ACTIONS)[number]

const COLUMNS = [{ title: 'TOKEN' }, { title: 'AGE', right: true }, { title: 'NAME' }]

export function addToken(program: Command, context: Context): void {
  instanceCommand(program, 'token', 'manages the tokens for the control API on ADMIN_PORT')
    .addArgument(new Argument('<action>', 'create, list or revoke').choices(ACTIONS))
    .argument('[name]', 'a label for the new token, or the id of the token to revoke')
    .action(async (action: Action, name: string | undefined, options: InstanceOptions) => {
      const { output } = context
      if (action === 'revoke' && name === undefined) {
        throw new Failure(exitCodes.usage, 'token revoke needs the id of a token: outpost token list shows them')
      }
      const { client } = await instanceOf(options, context)
      if (action === 'list') {
        const tokens = await client.tokens()
        if (options.json === true) return output.json({ tokens })
        const rows = tokens.map(({ id, at, name }) => [id, duration(Date.now() - Date.parse(at)), name])
        return output.print(...table(COLUMNS, rows))
      }
      if (action === 'revoke') {
        await client.revokeToken(name ?? '')
        return options.json === true ? output.json({ revoked: name }) : output.print(`token ${name ?? ''} is revoked`)
      }
      const created = await client.createToken(name ?? '')
      if (options.json === true) return output.json(created)
      output.print(created.token)
      const { adminPort } = await client.status()
      const where = adminPort === undefined ? 'start with ADMIN_PORT=9090 to use it' : `for 127.0.0.1:${adminPort}`
      output.note(`token ${created.id} is shown this once; ${where}`)
    })
}
