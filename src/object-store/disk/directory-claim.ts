import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { systemCode } from '../errors.js'

/**
 * At most one store a directory: a second one would remove the first one's temporary files and not see its writes.
 * The claim is a name in Linux's abstract socket space, which the kernel takes back however the process ends, so no
 * stale lock file can ever stand in the way of a start. Elsewhere there is no such space, and no claim is made.
 */
export class DirectoryClaim {
  #server: Server | undefined

  async take(directory: string): Promise<void> {
    if (process.platform !== 'linux') return
    const digest = createHash('sha256')
      .update(await realpath(directory))
      .digest('hex')
    const server = createServer(socket => void socket.destroy()).unref()
    try {
      server.listen(`\0outpost-object-store-${digest.slice(0, 32)}`)
      await once(server, 'listening')
    } catch (cause) {
      if (systemCode(cause) !== 'EADDRINUSE') throw cause
      throw new Error(`another object store is running on ${directory}`, { cause })
    }
    server.on('error', () => undefined)
    this.#server = server
  }

  async release(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    server.close()
    await once(server, 'close')
  }
}
