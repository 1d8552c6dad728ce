import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The part of a test that helpers need: a place to hang their clean-up on. */
export interface Harness {
  teardown(fn: () => unknown): void
}

/** A folder of the test's own, which goes when the test does. */
export function temporaryFolder(t: Harness, name = 'outpost-test-'): string {
  const folder = mkdtempSync(join(tmpdir(), name))
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}
