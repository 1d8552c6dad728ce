/** The facts about an instance that a unit states. Paths are absolute. */
export interface UnitFacts {
  description: string
  cwd: string
  /** The words that run the command `outpost`. */
  outpost: readonly string[]
  /** The words behind `outpost start`. */
  start: readonly string[]
  dataDir: string
  /** The user that it runs as; undefined for a unit of the user's own manager. */
  runAs: string | undefined
  port: number | undefined
}

/** The text of a systemd unit. */
export function unitOf({ description, cwd, outpost, start, dataDir, runAs, port }: UnitFacts): string {
  const needsRights = runAs !== undefined && runAs !== 'root' && port !== undefined && port < 1024
  const lines = [
    '[Unit]',
    `Description=${specifiersKept(description)}`,
    ...(runAs === undefined ? [] : ['Wants=network-online.target', 'After=network-online.target']),
    'StartLimitIntervalSec=60',
    'StartLimitBurst=5',
    '',
    '[Service]',
    'Type=exec',
    ...(runAs === undefined ? [] : [`User=${runAs}`]),
    `WorkingDirectory=${specifiersKept(cwd)}`,
    'Environment=NODE_ENV=production',
    `ExecStart=${wordsOf([...outpost, 'start', ...start])}`,
    '# Ends when every worker is replaced, and fails when the new code does.',
    `ExecReload=${wordsOf([...outpost, 'reload', '--data-dir', dataDir])}`,
    '# The primary stops the others, in their order. SHUTDOWN_TIMEOUT_MS is 30 s, unless it is set.',
    'KillMode=mixed',
    'TimeoutStopSec=40',
    'Restart=on-failure',
    'RestartSec=1',
    '# 78: the environment or the machine is unusable, and another start would not help.',
    'RestartPreventExitStatus=78',
    '# Outpost replaces a worker that the kernel has killed for its memory.',
    'OOMPolicy=continue',
    'LimitNOFILE=65536',
    ...(needsRights ? ['AmbientCapabilities=CAP_NET_BIND_SERVICE'] : []),
    '',
    '[Install]',
    `WantedBy=${runAs === undefined ? 'default' : 'multi-user'}.target`,
    '',
  ]
  return lines.join('\n')
}

/** Words as systemd splits them; nothing in them is expanded. */
function wordsOf(words: readonly string[]): string {
  const escaped = words.map(word => specifiersKept(word).replaceAll('$', '$$$$'))
  return escaped.map(word => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`)).join(' ')
}

function specifiersKept(text: string): string {
  return text.replaceAll('%', '%%')
}
