import t from 'tap'
import type { Context } from '#src/cli/context.js'
import { tellChange } from '#src/cli/deploy-progress.js'
import type { Deployed } from '#src/control/protocol.js'

/** The output of a command at the end of a change, and the remarks beside it. */
async function told(deployed: Deployed): Promise<{ printed: string[]; notes: string[] }> {
  const printed: string[] = []
  const notes: string[] = []
  const output = {
    paint: (_colour: string, text: string) => text,
    print: (...lines: string[]) => printed.push(...lines),
    note: (text: string) => notes.push(text),
  }
  await tellChange({ output } as unknown as Context, {}, () => Promise.resolve(deployed))
  return { printed, notes }
}

void t.test('a release that serves but is not recorded is named beside the result', async t => {
  const { printed, notes } = await told({ release: 'r1', unrecorded: 'ENOSPC: no space left on device' })
  t.strictSame(printed, ['r1 is live'])
  t.match(notes, [/^r1 serves, but could not be recorded \(ENOSPC: no space left on device\)\. Make room/])
})

void t.test('files that were changed after the deploy are named beside the result', async t => {
  const one = await told({ release: 'r1', changed: { count: 1, files: ['app.js'] } })
  t.match(one, { printed: ['r1 is live'], notes: [/^r1 does not run as it was deployed: .* changed app\.js$/] })
  const many = await told({ release: 'r1', changed: { count: 7, files: ['a.js', 'b.js'] } })
  t.match(many.notes, [/ changed a\.js, b\.js and 5 others$/])
})
