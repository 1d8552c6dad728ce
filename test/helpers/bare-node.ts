const WITHOUT_OPTIONS = 'unset NODE_OPTIONS; exec "$@"'

/**
 * Node as a person starts it: a command, and the words before those of the program. The test runner has every process
 * load modules of its own by NODE_OPTIONS, on Node 20 and 22 in a thread with which a process can hang as it exits.
 */
export const bareNode: [file: string, words: string[]] = ['sh', ['-c', WITHOUT_OPTIONS, 'sh', process.execPath]]
