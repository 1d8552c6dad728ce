import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The part of a test that helpers need: a place for their clean-up. */
export interface Harness {
  teardown(fn: () => unknown): void
}

/** A folder of the test's own, removed after the test. */
export function temporaryFolder(t: Harness, name = 'outpost-test-'): string {
  const folder = mkdtempSync(join(tmpdir(), name))
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}
