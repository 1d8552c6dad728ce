/** Prints the names of the variables that scripts/test.sh unsets: all that are Outpost's own, one a line. */
import { PREFIX } from '#src/config/given-text.js'
import { allVariables } from '#src/config/variables.js'

const names = allVariables().flatMap(({ name, shared = false }) => [PREFIX + name, ...(shared ? [] : [name])])
process.stdout.write(`${names.join('\n')}\n`)
