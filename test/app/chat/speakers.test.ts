import t from 'tap'
import { Speakers } from '#src/app/chat/speakers.js'

function said(speakers: Speakers, speaker: string, clients: number, now: number): number {
  let messages = 0
  while (messages < 10_000 && speakers.maySay(speaker, clients, now)) messages += 1
  return messages
}

void t.test('a speaker has a burst and then a steady rate, and others have their own', t => {
  const speakers = new Speakers()
  t.equal(said(speakers, 'a', 1, 0), 400)
  t.equal(said(speakers, 'a', 1, 1_000), 100)
  t.equal(said(speakers, 'b', 1, 1_000), 400)
  t.end()
})

void t.test('the more clients get a message, the fewer messages a speaker may send', t => {
  const speakers = new Speakers()
  t.equal(said(speakers, 'a', 500, 0), 40)
  t.equal(said(speakers, 'a', 500, 1_000), 20)
  t.equal(said(speakers, 'b', 50_000, 0), 1, 'a full budget is enough for one message of any cost')
  t.end()
})

void t.test('speakers that are silent are forgotten, others are not', t => {
  const speakers = new Speakers()
  said(speakers, 'busy', 1, 0)
  for (let i = 0; i < 5_000; i += 1) speakers.maySay(`once ${i}`, 1, i * 100)
  said(speakers, 'busy', 1, 500_000)
  t.ok(speakers.size < 2_100, `${speakers.size} are known`)
  t.equal(said(speakers, 'busy', 1, 500_000), 0)
  t.end()
})
