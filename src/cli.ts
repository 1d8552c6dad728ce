#!/usr/bin/env node
// The command `outpost`. It speaks to instances over their control API alone, and `start` becomes the program.
import { fileURLToPath } from 'node:url'
import { Output } from './cli/output.js'
import { run } from './cli/program.js'
import { exitCodes } from './process/exit.js'

// The reader of the output may exit (`| head`), and a disk may be full.
const unwritten = new Set<string>()
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || stream === process.stderr) return
    if (unwritten.size === 0) process.stderr.write(`outpost: output cannot be written: ${error.message}\n`)
    unwritten.add(error.message)
    process.exitCode ||= exitCodes.failure
  })
}
// Arguments are for everybody to see, and may be secrets.
const words = process.argv.slice(2)
process.title = `outpost ${words[0] ?? ''}`
const paths = { program: fileURLToPath(new URL('./main.js', import.meta.url)), command: fileURLToPath(import.meta.url) }
const code = await run(words, paths, new Output())
process.exitCode = code === exitCodes.ok && unwritten.size > 0 ? exitCodes.failure : code
