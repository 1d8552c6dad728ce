import { QueuedPlaces } from './queued-places.js'

/**
 * Places of which no holder may take all: one may hold at most as many as are left free (the dynamic threshold of
 * Choudhury and Hahne). Alone it gets half, and n of them leave 1/(n+1). The same holds for the places in the queue. A
 * waiter that holds its share is passed over.
 */
export class SharedPlaces extends QueuedPlaces {
  /**
   * Resolves when there is a place, with a function that gives it back.
   * @param signal gives up the place in the queue; its reason is thrown
   * @throws {QueueFullError} at once when the queue is full, or the holder's share of it
   */
  enter(holder: string, signal?: AbortSignal): Promise<() => void> {
    return this.take(holder, signal)
  }

  protected override allows(own: number, free: number): boolean {
    return own < free
  }
}
