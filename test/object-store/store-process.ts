import { ObjectStore } from '#src/object-store/object-store.js'

/**
 * A store in a process of its own, for tests that kill or measure it. It takes options as JSON in the first argument and
 * prints its port as a line on stdout. SIGTERM stops it, and so does the end of its stdin.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as ConstructorParameters<typeof ObjectStore>[0]
const store = new ObjectStore({
  ...options,
  warn: (message, cause) => process.stderr.write(`${message} ${String(cause)}\n`),
})
const { port } = await store.start()
process.stdout.write(`${port}\n`)

const stop = () => void store.stop().then(() => process.stdin.destroy())
process.once('SIGTERM', stop)
process.stdin.once('end', stop).resume()
