import type { Server } from 'node:http'
import type { ServedBy } from '../ipc/messages.js'
import type { AppListeners } from './app-listeners.js'
import type { WorkerServer } from './worker-server.js'

/** The server of an app that answers on the public port. The app may close it, and listen with another one. */
export class PublishedServer {
  /** Resolves when the app has published a server for the first time. */
  readonly first: Promise<Server>
  #latest: Server | undefined
  #served: WorkerServer | undefined

  /**
   * @param warn told of listeners that people should know of
   * @param tell told what each published server is
   */
  constructor(listeners: AppListeners, warn: (remark: string) => void, tell: (by: ServedBy) => void) {
    this.first = new Promise(resolve => {
      listeners.observe({
        published: (server, by) => {
          tell(by)
          this.#latest = server
          this.#served?.adopt(server)
          resolve(server)
        },
        remarked: warn,
      })
    })
  }

  /** From now on it is this one that takes what comes, and each server that is published later. */
  serveBy(served: WorkerServer): void {
    this.#served = served
    if (this.#latest !== undefined) served.adopt(this.#latest)
  }
}
