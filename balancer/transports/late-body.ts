import type { ClientRequest, IncomingMessage } from 'node:http'
import { BodyProgress, type BodyProgressOptions } from './body-progress.js'

/** A target that takes none of a body between two looks wants no more of it. */
const LOOK_MS = 1_000

/**
 * Goes on with a body whose target has answered before all of it arrived. An app may accept an upload first and read it then;
 * under node it gets the whole body. If the target takes no more, the rest is read and dropped, so that the client can send
 * its next request. A client that sends too slowly for a body loses its connection.
 *
 * Before version 26, Node no longer tells such a request when its connection has drained, so nothing can be piped to it. Nor
 * does Node tell a request that has its answer of the end of its client's connection.
 */
export function sendRest(request: IncomingMessage, outgoing: ClientRequest, options: BodyProgressOptions): void {
  // It may have closed with its answer. Then no event follows.
  if (outgoing.destroyed) return void request.unpipe().resume()
  const { socket: from } = request
  const { socket: to } = outgoing
  const progress = new BodyProgress(request, options, performance.now())
  let looks = 0
  const look = setInterval(() => {
    looks = request.isPaused() ? looks + 1 : 0
    if (looks > 1) outgoing.destroy()
    else if (progress.check(performance.now()) === 'client') from.destroy()
  }, LOOK_MS)
  const onDrain = (): void => {
    looks = 0
    request.resume()
  }
  const onLeft = (): void => void outgoing.destroy()
  const pass = (piece: Buffer): void => {
    if (!outgoing.write(piece)) request.pause()
  }
  const end = (): void => {
    clearInterval(look)
    from.off('close', onLeft)
    to?.off('drain', onDrain)
    request.off('data', pass).resume()
  }
  from.once('close', onLeft)
  to?.on('drain', onDrain)
  outgoing.once('finish', end).once('close', end)
  request.unpipe().on('data', pass).resume()
}
