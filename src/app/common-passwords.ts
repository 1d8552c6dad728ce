import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One folder below dist/, as the chunks of the bundle are, so the path is right in both. */
const FILE = fileURLToPath(new URL('../app/common-passwords.txt', import.meta.url))

/**
 * The 17,950 passwords of at least 8 characters that leaks show most often, the most common first, in lower case, each
 * between two ends of lines. They are from @zxcvbn-ts/language-common 4.1.3; docs/decisions/020-passwords-and-sessions.md
 * says why they are kept here.
 *
 * Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc. Copyright (c) 2021 @zxcvbn-ts. MIT License.
 */
export const commonPasswords = `\n${readFileSync(FILE, 'latin1')}`
