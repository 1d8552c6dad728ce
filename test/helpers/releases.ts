import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { create } from 'tar'
import { ControlClient } from '#src/control/client.js'
import type { Deployed, DeployProgress } from '#src/control/protocol.js'
import type { Cluster } from './cluster.js'
import { temporaryFolder, type Harness } from './harness.js'

/** A folder with these files. */
export function folderOf(t: Harness, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t, 'outpost-release-')
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

/** The folder as an archive. */
export function archiveOf(folder: string): Readable {
  return Readable.from(create({ cwd: folder, gzip: true }, ['.']))
}

/** An archive of these files, of which nearly all comes when it is told to. */
export async function heldArchive(
  t: Harness,
  files: Readonly<Record<string, string>>,
): Promise<{ archive: Readable; send: () => void }> {
  const bytes = Buffer.concat((await archiveOf(folderOf(t, files)).toArray()) as Buffer[])
  const archive = new PassThrough()
  archive.write(bytes.subarray(0, 40))
  return { archive, send: () => void archive.end(bytes.subarray(40)) }
}

/** An app that answers with this text, after these lines, and runs others once it listens. */
export function appThatSays(text: string, before = '', listening = ''): Record<string, string> {
  return {
    'package.json': '{"type":"module","main":"app.js"}',
    'app.js': `import { createServer } from 'node:http'
let asked = 0
createServer((request, response) => {
  asked += 1
  ${before}
  response.end('${text}')
}).listen(process.env.PORT, () => {
  ${listening}
})
`,
  }
}

/** Deploys these files. @param stages as the control API takes them; none by default */
export async function deploy(
  t: Harness,
  { dataDir }: Pick<Cluster, 'dataDir'>,
  files: Readonly<Record<string, string>>,
  stages = '',
  onProgress?: (event: DeployProgress) => void,
): Promise<Deployed> {
  const client = await ControlClient.of(dataDir)
  return client.deploy(archiveOf(folderOf(t, files)), { source: 'test', stages }, onProgress)
}
