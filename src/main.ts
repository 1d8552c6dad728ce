#!/usr/bin/env node
// One program in several roles. People start the primary, which forks the others with their role as the first argument.
// Each role loads only what it needs.
import { keepCompiledCode } from './process/compile-cache.js'

keepCompiledCode(import.meta.url)
switch (process.send === undefined ? 'primary' : process.argv[2]) {
  case 'balancer':
    await (await import('./balancer-process.js')).runBalancer()
    break
  case 'worker':
    await (await import('./worker/worker-process.js')).runWorker()
    break
  case 'store':
    await (await import('./store-process.js')).runStore()
    break
  case 'standby':
    ;(await import('./config/app-environment.js')).keepNodeOptionsForApps()
    await (await import('./primary/primary-process.js')).runStandby()
    break
  default:
    ;(await import('./config/app-environment.js')).keepNodeOptionsForApps()
    await (await import('./primary/primary-process.js')).runPrimary()
}
