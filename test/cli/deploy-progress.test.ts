import t from 'tap'
import type { Context } from '#src/cli/context.js'
import { tellChange } from '#src/cli/deploy-progress.js'

void t.test('a release that serves but is not recorded is said beside the result', async t => {
  const printed: string[] = []
  const notes: string[] = []
  const output = {
    paint: (_colour: string, text: string) => text,
    print: (...lines: string[]) => printed.push(...lines),
    note: (text: string) => notes.push(text),
  }
  const change = (): Promise<{ release: string; unrecorded: string }> =>
    Promise.resolve({ release: 'r1', unrecorded: 'ENOSPC: no space left on device' })
  await tellChange({ output } as unknown as Context, {}, change)
  t.strictSame(printed, ['r1 is live'])
  t.match(notes, [/^r1 serves, but could not be recorded \(ENOSPC: no space left on device\)\. Make room/])
  t.end()
})
