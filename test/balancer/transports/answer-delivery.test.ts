import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import type { AnswerHead } from '#balancer/transports/answer.js'
import { AnswerDelivery } from '#balancer/transports/answer-delivery.js'
import { LaneAnswer } from '#balancer/transports/lane-answer.js'
import type { ForwardedRequest } from '#balancer/transports/transport.js'

/** The delivery of an answer to a POST whose body has not arrived. */
function earlyDelivery(): { delivery: AnswerDelivery; request: IncomingMessage; response: ServerResponse } {
  const request = new IncomingMessage(new Socket())
  request.method = 'POST'
  const response = new ServerResponse(request)
  const forwarded: Partial<ForwardedRequest> = {
    request,
    response,
    requestId: 'id',
    closing: true,
    keptAnswer: () => undefined,
    copyOf: () => undefined,
    answerBegun: () => undefined,
  }
  const delivery = new AnswerDelivery(forwarded as ForwardedRequest, {
    bytesPassed: () => undefined,
    answerFailed: error => t.fail(error.message),
    answerDelivered: () => undefined,
    answerBroken: () => undefined,
  })
  return { delivery, request, response }
}

function head(statusCode: number, headers: Record<string, string> = {}): AnswerHead {
  const rawHeaders = Object.entries(headers).flat()
  return { statusCode, statusMessage: '', headers, rawHeaders, rawTrailers: [] }
}

const CHUNKED = { 'transfer-encoding': 'chunked' }

function answerInChunks(): LaneAnswer {
  return new LaneAnswer(head(413, CHUNKED), () => undefined)
}

void t.test('an answer to a client that waits for "100 Continue" ends at once', async t => {
  const whole = earlyDelivery()
  whole.delivery.isLast = true
  whole.delivery.passWhole(head(413, CHUNKED), Buffer.from('too large'))
  t.equal(whole.response.writableEnded, true, 'with a body')

  const empty = earlyDelivery()
  empty.delivery.isLast = true
  empty.delivery.passWhole(head(204), null)
  t.equal(empty.response.writableEnded, true, 'without a body')

  const streamed = earlyDelivery()
  streamed.delivery.isLast = true
  const answer = answerInChunks()
  streamed.delivery.pass(answer)
  answer.add(Buffer.from('too large'))
  const ended = new Promise(resolve => answer.once('end', resolve))
  answer.finish([])
  await ended
  t.equal(streamed.response.writableEnded, true, 'with a body in pieces')
})

void t.test('an answer to a client that may be sending its body is sent at once, and ends later', t => {
  const impatient = earlyDelivery()
  impatient.request.push('a')
  impatient.delivery.isLast = true
  impatient.delivery.passWhole(head(413, CHUNKED), Buffer.from('too large'))
  t.equal(impatient.response.writableEnded, false, 'a client that did not wait')

  for (const body of [Buffer.from('too large'), null]) {
    const { delivery, response } = earlyDelivery()
    delivery.passWhole(head(body === null ? 204 : 413), body)
    t.equal(response.writableEnded, false)
    t.ok(response.writableLength > 0, 'the head waits for nothing but the socket')
    response.emit('close')
  }
  impatient.response.emit('close')
  t.end()
})
