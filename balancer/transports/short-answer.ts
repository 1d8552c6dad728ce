import type { Answer } from './answer.js'

/** The outcomes of a short answer. Exactly one of these is called. */
export interface ShortAnswerOutcome {
  whole(body: Buffer): void
  /** The rest takes longer. The answer is paused. @param begin what has arrived */
  slow(begin: Buffer): void
  broken(): void
}

/**
 * Waits for the rest of a short answer, for a moment at most. While its client has seen nothing of it, the request can
 * be repeated: express-session sends most of an answer, stores the session and then sends the last byte, and the
 * worker may die in between. An app that writes a piece now and the rest later wants the client to see it.
 */
export function collectShort(answer: Answer, outcome: ShortAnswerOutcome): void {
  const parts: Buffer[] = []
  let lastLook: NodeJS.Immediate | undefined
  const onData = (part: Buffer): void => void parts.push(part)
  const over = (): void => {
    clearTimeout(patience)
    clearImmediate(lastLook)
    answer.off('data', onData).off('end', onEnd).off('close', onClose)
  }
  const onEnd = (): void => {
    over()
    outcome.whole(Buffer.concat(parts))
  }
  const onClose = (): void => {
    over()
    outcome.broken()
  }
  const onSlow = (): void => {
    if (answer.complete) return
    answer.pause()
    over()
    outcome.slow(Buffer.concat(parts))
  }
  answer
    .on('data', onData)
    .once('end', onEnd)
    .once('close', onClose)
    .once('error', () => undefined)
  // An answer that came while this process was busy is read before its time is over.
  const patience = setTimeout(() => (lastLook = setImmediate(onSlow)), PATIENCE_MS)
}

const PATIENCE_MS = 20

/** All that has arrived. Since Node 26 one read returns one chunk, before it returned all of them. */
export function readWhole(answer: Answer): Buffer | null {
  const parts: Buffer[] = []
  for (let part = answer.read() as Buffer | null; part !== null; part = answer.read() as Buffer | null) parts.push(part)
  return parts.length > 1 ? Buffer.concat(parts) : (parts[0] ?? null)
}
