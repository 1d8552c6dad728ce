import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort } from '#scripts/lib/free-port.js'
import { within } from './deadline.js'
import { temporaryFolder, type Harness } from './harness.js'

/** sshd has to be called by its whole path. */
const SSHD = ['/usr/sbin/sshd', '/usr/bin/sshd', '/usr/local/sbin/sshd'].find(path => existsSync(path))

/** Why no test can use a real sshd; false if one can. */
export const noSshd = SSHD === undefined || !isThere('ssh') ? 'needs sshd and ssh' : false

const LISTEN_MS = 10_000

/** A real sshd on loopback, with keys of its own: this user may sign in, by a key that only the test has. */
export class SshServer {
  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** @param env of the commands that are run over it */
  static async start(t: Harness, env: Readonly<Record<string, string>>): Promise<SshServer> {
    const folder = temporaryFolder(t, 'outpost-ssh-')
    const path = (name: string): string => join(folder, name)
    for (const name of ['host', 'person']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(name)])
    }
    // A system service makes it at a boot.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
    const port = await freePort()
    const config = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${path('host')}`,
      `AuthorizedKeysFile ${path('person.pub')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      `SetEnv ${Object.entries(env)
        .map(([name, value]) => `"${name}=${value}"`)
        .join(' ')}`,
    ]
    writeFileSync(path('config'), `${config.join('\n')}\n`)
    const server = spawn(SSHD ?? '', ['-D', '-e', '-f', path('config')], { stdio: ['ignore', 'ignore', 'pipe'] })
    t.teardown(() => server.kill())
    const lines: string[] = []
    const listening = new Promise<void>((resolve, reject) => {
      createInterface({ input: server.stderr }).on('line', line => {
        lines.push(line)
        if (line.includes('Server listening')) resolve()
      })
      void once(server, 'exit').then(() => reject(new Error(`sshd has ended: ${lines.join('; ')}`)))
    })
    await within(listening, 'sshd to listen', LISTEN_MS)
    return new SshServer(folder, port)
  }

  /** The words that a person types before the command that is to run there. */
  get words(): string[] {
    const options = ['BatchMode=yes', 'IdentitiesOnly=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null']
    const { folder, port } = this
    const given = [...options, 'LogLevel=ERROR'].flatMap(option => ['-o', option])
    return [
      'ssh',
      '-F',
      'none',
      ...given,
      '-i',
      join(folder, 'person'),
      '-p',
      `${port}`,
      `${userInfo().username}@127.0.0.1`,
    ]
  }
}

function isThere(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
}
