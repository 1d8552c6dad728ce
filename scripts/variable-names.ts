/** Prints the names of the variables that scripts/test.sh unsets: all that are Outpost's own, one a line. */
import { allVariables } from '#src/config/variables.js'

const names = allVariables().flatMap(({ name, shared = false }) => (shared ? [] : [name]))
process.stdout.write(`${names.join('\n')}\n`)
