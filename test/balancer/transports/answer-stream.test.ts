import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { streamAnswer, unpassedOf } from '#balancer/transports/answer-stream.js'
import { LaneAnswer } from '#balancer/transports/lane-answer.js'
import type { ForwardedRequest } from '#balancer/transports/transport.js'

void t.test('the bytes of an answer that wait for its client are counted', t => {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  t.equal(unpassedOf(undefined), 0)
  t.equal(unpassedOf(response), 0)
  const answer = new LaneAnswer(
    { statusCode: 200, statusMessage: 'OK', headers: {}, rawHeaders: [], rawTrailers: [] },
    () => undefined,
  )
  streamAnswer(answer, { request, response } as ForwardedRequest, 0, {
    passed: () => undefined,
    end: () => undefined,
    sent: () => undefined,
    closed: () => undefined,
  })
  answer.pause()
  answer.add(Buffer.alloc(100_000))
  answer.add(Buffer.alloc(20_000))
  t.equal(unpassedOf(response), 120_000)
  t.end()
})
