#!/usr/bin/env node
// The command `outpost`. It speaks to instances over their control API alone, and `start` becomes the program.
import { fileURLToPath } from 'node:url'
import { Output } from './cli/output.js'
import { run } from './cli/program.js'

// The reader of the output may exit (`| head`).
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}
// Arguments are for everybody to see, and may be secrets.
const words = process.argv.slice(2)
process.title = `outpost ${words[0] ?? ''}`
const paths = { program: fileURLToPath(new URL('./main.js', import.meta.url)), command: fileURLToPath(import.meta.url) }
process.exitCode = await run(words, paths, new Output())
