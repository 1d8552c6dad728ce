import { QueuedPlaces } from './queued-places.js'

/** Places that anybody may take while one is free. */
export class Semaphore extends QueuedPlaces {
  /**
   * Resolves when a place is free, with a function that gives it back.
   * @param signal gives up the place in the queue; its reason is thrown
   * @throws {QueueFullError} at once when the queue is full
   */
  enter(signal?: AbortSignal): Promise<() => void> {
    return this.take('', signal)
  }

  protected override allows(_own: number, free: number): boolean {
    return free > 0
  }
}
