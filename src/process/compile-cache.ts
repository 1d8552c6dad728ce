import module from 'node:module'
import { fileURLToPath } from 'node:url'

interface CompileCache {
  /** Since Node 22. */
  enableCompileCache?: (directory: string) => unknown
}

/**
 * Keeps the compiled code of this process beside the program, for faster starts of later ones. A user who may write
 * there may change the program as well. Where nothing can be written, nothing is kept.
 * @param program the URL of the module that runs
 */
export function keepCompiledCode(program: string): void {
  const { enableCompileCache } = module as CompileCache
  enableCompileCache?.(fileURLToPath(new URL('.compile-cache', program)))
}
