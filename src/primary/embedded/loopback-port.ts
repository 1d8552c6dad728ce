import fs from 'node:fs'
import net from 'node:net'

/** Below the range from which Linux picks ports for outgoing connections, so none of these takes the port. */
const FIRST = 20_000
const LAST = 32_767
const TRIES = 100

/**
 * A port of 127.0.0.1 for an embedded server. It is kept in `file` and taken again as long as it is free, because
 * workers and other programs on the machine use its number.
 */
export async function loopbackPort(file: string): Promise<number> {
  const kept = keptPort(file)
  if (kept !== undefined && (await isFree(kept))) return kept
  for (let tried = 0; tried < TRIES; tried++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    if (!(await isFree(port))) continue
    fs.writeFileSync(file, `${port}\n`, { mode: 0o600 })
    return port
  }
  throw new Error(`no free port of 127.0.0.1 from ${FIRST} to ${LAST}`)
}

function keptPort(file: string): number | undefined {
  try {
    const port = Number(fs.readFileSync(file, 'utf8').trim())
    return Number.isInteger(port) && port >= FIRST && port <= LAST ? port : undefined
  } catch {
    return undefined // the first start
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
