import { createServer, IncomingMessage, ServerResponse, type ServerOptions } from 'node:http'
import t from 'tap'
import { hasOwnMessages } from '#src/worker/own-messages.js'

class Request extends IncomingMessage {}
class Response<Of extends IncomingMessage = IncomingMessage> extends ServerResponse<Of> {}

const own: Record<string, ServerOptions> = {
  'a class of requests': { IncomingMessage: Request },
  'a class of responses': { ServerResponse: Response },
  'joined headers': { joinDuplicateHeaders: true },
  'unique headers': { uniqueHeaders: ['x-once'] },
  'refused bodies': { rejectNonStandardBodyWrites: true },
}

for (const [what, options] of Object.entries(own)) {
  void t.test(`a server makes its own messages with ${what}`, t => {
    t.ok(hasOwnMessages(createServer(options)))
    t.end()
  })
}

void t.test("a server with other options makes Node's messages", t => {
  t.notOk(hasOwnMessages(createServer()))
  t.notOk(hasOwnMessages(createServer({ keepAlive: true, maxHeaderSize: 20_000, joinDuplicateHeaders: false })))
  t.end()
})
