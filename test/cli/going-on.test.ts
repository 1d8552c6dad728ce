import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'

/** A command that waits, and is interrupted then. @returns the signal that ended it, and what it has printed */
async function interrupted(options: object, note?: string): Promise<[signal: unknown, err: string]> {
  const script = `
    import { goingOn } from ${JSON.stringify(import.meta.resolve('#src/cli/going-on.js'))}
    const output = { note: text => console.error(text) }
    const work = () => new Promise(() => { setInterval(() => undefined, 1000); console.log('waits') })
    await goingOn({ output }, ${JSON.stringify(options)}, () => ${note === undefined ? 'undefined' : JSON.stringify(note)}, work)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  const err = text(child.stderr)
  const exit = once(child, 'exit')
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  const [, signal] = (await exit) as [unknown, unknown]
  return [signal, await err]
}

void t.test('a command that is interrupted says what goes on without it, and ends by the signal', async t => {
  t.strictSame(await interrupted({}, 'the stop goes on'), ['SIGINT', 'the stop goes on\n'])
})

void t.test('an interrupted command says nothing with --json, or if nothing goes on', async t => {
  t.strictSame(await interrupted({ json: true }, 'the stop goes on'), ['SIGINT', ''])
  t.strictSame(await interrupted({}), ['SIGINT', ''])
})
