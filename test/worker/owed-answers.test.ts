import t from 'tap'
import { owed, OwedAnswers } from '#src/worker/owed-answers.js'

void t.test('answers that are owed and not settled are taken, once', t => {
  const answers = new OwedAnswers()
  answers.owe(20, owed.answer)
  answers.owe(21, owed.head)
  answers.owe(22, owed.answer)
  answers.settle(22, owed.answer)
  for (const unknown of [-1, 1_000_000]) {
    answers.owe(unknown, owed.answer)
    answers.settle(unknown, owed.answer)
  }
  const stranger = new OwedAnswers(answers.memory)
  t.strictSame(
    [...stranger.take()],
    [
      [20, owed.answer],
      [21, owed.head],
    ],
  )
  t.equal(stranger.take().size, 0)
  t.end()
})
