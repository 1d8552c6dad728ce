/** Commands of other programs, and what does the same here. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  restart: 'outpost reload replaces every worker without losing a request',
  gracefulReload: 'outpost reload',
  list: 'outpost ls',
  l: 'outpost ls',
  ps: 'outpost ls',
  log: 'outpost logs',
  tail: 'outpost logs -f',
  monitor: 'outpost monit',
  dash: 'outpost monit',
  top: 'outpost monit',
  delete: 'outpost stop',
  del: 'outpost stop',
  kill: 'outpost stop',
  describe: 'outpost status, with --json for all of it',
  show: 'outpost status, with --json for all of it',
  info: 'outpost status, with --json for all of it',
  jlist: 'outpost status --json',
  prettylist: 'outpost status --json',
  startup: 'outpost service prints a systemd unit',
  unstartup: 'systemctl disable, for the unit of outpost service',
  save: 'outpost service prints a systemd unit that starts the app at boot',
  resurrect: 'outpost service prints a systemd unit that starts the app at boot',
  flush: 'not needed: LOG_MAX_BYTES bounds the log',
  reloadLogs: 'not needed: LOG_MAX_BYTES bounds the log',
  up: 'outpost start -d',
  down: 'outpost stop',
}

/** @returns the counterpart of this word here */
export function counterpartOf(word: string): string | undefined {
  return Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : undefined
}
