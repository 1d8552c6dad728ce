import t from 'tap'
import { ChildEnding } from '#src/primary/processes/child-ending.js'

type Facts = [text: string, isFailure: boolean, isByFault: boolean]

function factsOf(happen: (ending: ChildEnding) => void): Facts {
  const ending = new ChildEnding()
  happen(ending)
  return [ending.text, ending.isFailure, ending.isByFault]
}

void t.test('an end tells its text, and whether the process is the reason', t => {
  const ends: Array<[happen: (ending: ChildEnding) => void, facts: Facts]> = [
    [ending => ending.noteExit('exit code 1', undefined), ['exit code 1', false, true]],
    [ending => ending.noteExit('SIGKILL', 'SIGKILL'), ['SIGKILL', false, false]],
    [ending => ending.noteExit('SIGTERM', 'SIGTERM'), ['SIGTERM', false, false]],
    [ending => ending.noteExit('SIGSEGV', 'SIGSEGV'), ['SIGSEGV', true, true]],
    [ending => ending.noteCrash(), ['uncaught exception', false, true]],
  ]
  for (const [happen, facts] of ends) t.strictSame(factsOf(happen), facts)
  t.end()
})

void t.test('a process that the primary kills ends for the first reason, and that is its own fault', t => {
  const facts = factsOf(ending => {
    ending.noteKill('no heartbeat for 10 s')
    ending.noteKill('did not stop')
    ending.noteExit('SIGKILL', 'SIGKILL')
  })
  t.strictSame(facts, ['no heartbeat for 10 s', true, true])
  const withoutReason = factsOf(ending => {
    ending.noteKill(undefined)
    ending.noteExit('SIGKILL', 'SIGKILL')
  })
  t.strictSame(withoutReason, ['SIGKILL', false, false])
  t.end()
})
