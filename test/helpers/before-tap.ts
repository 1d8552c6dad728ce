/**
 * Loaded in each test process before tap (package.json, test-env), which takes most of them longer than their tests.
 *
 * For coverage, which is off, tap's loader notes each file that is loaded, and reads its source map. Here it leaves out all.
 * The runner sets the same variable, so it can be set only in the process itself.
 */
import { env } from 'node:process'
import { keepCompiledCode } from '#src/process/compile-cache.js'

env['_TAPJS_PROCESSINFO_EXCLUDE_'] = '/./'
// Programs under test start as they do elsewhere.
env['NODE_OPTIONS'] = env['NODE_OPTIONS']?.replace(/"?--import=\S*before-tap\.js"? */, '') ?? ''
keepCompiledCode(new URL('../../', import.meta.url).href)
