import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { syncFolder, writeSynced } from '../../process/synced-file.js'
import { damageOf, envIn, recordIn, type ReleaseRecord } from './release-records.js'
import { STARTED } from './release-switch.js'
import { StateFile } from './state-file.js'

/** A release that is being made; nobody runs it. */
export interface Draft {
  readonly id: string
  /** The folder of its files. */
  readonly folder: string
}

/** How many releases are kept for a rollback. */
const KEPT = 5
/** Records of releases that were taken back are small. */
const KEPT_RECORDS = 10

const DRAFT = '.new-'
/** The copy of the app that the program was started with. */
const STARTED_COPY = 'started'
/** The prefix of a folder that is being removed. */
const GONE = '.gone-'

/**
 * The releases on disk: `DATA_DIR/releases/ID` with `app/`, `release.json` and `env.json`, and `started`, the app as it was
 * before the first deploy. The name of a release appears when it is whole, and nothing in it changes from then on but its
 * outcome. `state.json` names the live one.
 */
export class ReleaseStore {
  readonly #file: StateFile
  /** Before, nobody waits for this process. */
  #isInUse = false

  #damage: string | undefined

  private constructor(readonly folder: string) {
    this.#file = new StateFile(folder)
  }

  /** Why the release that was live at the end of the last run is not served; undefined if it is. */
  get damage(): string | undefined {
    return this.#damage
  }

  /** Why the live release is not recorded yet: until it is, a start of the program would serve another release. */
  get doubt(): string | undefined {
    return this.#file.doubt
  }

  /** Removes what a deploy that was cut short has left. @throws {Error} names a file that cannot be read */
  static open(folder: string): ReleaseStore {
    const store = new ReleaseStore(folder)
    if (!fs.existsSync(folder)) {
      store.#isInUse = true
      return store
    }
    store.#readState()
    for (const name of fs.readdirSync(folder)) {
      // The copy of the app is made anew, and replaces what is there.
      if (name === DRAFT + STARTED_COPY) continue
      if (name.startsWith(DRAFT) || name.startsWith(GONE)) store.#remove(join(folder, name))
    }
    if (store.#file.state.startedIsKept !== true) store.#remove(join(folder, STARTED_COPY))
    for (const { id, outcome } of store.list()) {
      if (outcome === 'installed') store.takenBack(id, 'its deploy was cut short')
    }
    store.#isInUse = true
    return store
  }

  get live(): string {
    return this.#file.state.live
  }

  get previous(): string | undefined {
    return this.#file.state.previous
  }

  /** All that are known, the newest first. */
  list(): ReleaseRecord[] {
    if (!fs.existsSync(this.folder)) return []
    const names = fs.readdirSync(this.folder).filter(isId)
    const records = names.flatMap(name => this.#recordOf(name) ?? [])
    return records.sort((a, b) => numberOf(b.id) - numberOf(a.id))
  }

  get(id: string): ReleaseRecord | undefined {
    return isId(id) ? this.#recordOf(id) : undefined
  }

  /** Whether workers could run it. */
  has(id: string): boolean {
    return id === STARTED || (this.get(id)?.outcome ?? 'taken-back') !== 'taken-back'
  }

  /** The folder of its files; undefined for the app where the program was started, as long as that was not kept. */
  filesOf(id: string): string | undefined {
    const record = this.get(id)
    if (id === STARTED || record?.files === STARTED) {
      return this.#file.state.startedIsKept === true ? join(this.folder, STARTED_COPY) : undefined
    }
    return record && join(this.folder, record.files ?? id, 'app')
  }

  /** A folder for a copy of the app that the program was started with. */
  startedDraft(): string {
    return join(this.folder, DRAFT + STARTED_COPY)
  }

  /** From now on the draft is what `start` runs. */
  keepStarted(): void {
    fs.renameSync(this.startedDraft(), join(this.folder, STARTED_COPY))
    this.#file.write({ ...this.#file.state, startedIsKept: true })
  }

  /** The variables that are pinned to it. */
  envOf(id: string): Record<string, string> {
    if (id === STARTED || !fs.existsSync(this.#path(id, 'env.json'))) return {}
    return envIn(join(this.folder, id))
  }

  /** Begins a release with the next number. */
  draft(): Draft {
    if (!fs.existsSync(this.folder)) {
      fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 })
      syncFolder(dirname(this.folder))
    }
    const id = `r${this.#file.state.last + 1}`
    this.#file.write({ ...this.#file.state, last: this.#file.state.last + 1 })
    const folder = join(this.folder, DRAFT + id, 'app')
    fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
    return { id, folder }
  }

  discard({ id }: Draft): void {
    this.#remove(join(this.folder, DRAFT + id))
  }

  /**
   * Makes a draft a release. Its files are on the disk already.
   * @param content the file of its app, from its folder; or the release whose files it runs
   */
  keep(
    { id }: Draft,
    source: string,
    env: Readonly<Record<string, string>>,
    content: { files?: string; main?: string } = {},
  ): void {
    const draft = join(this.folder, DRAFT + id)
    if (content.files !== undefined) this.#remove(join(draft, 'app'))
    writeSynced(join(draft, 'env.json'), JSON.stringify(env))
    const record: ReleaseRecord = { id, at: Date.now(), source, outcome: 'installed', ...content }
    writeSynced(join(draft, 'release.json'), JSON.stringify(record))
    fs.renameSync(draft, join(this.folder, id))
    syncFolder(this.folder)
  }

  /**
   * From now on it is what a start of the program serves.
   * @throws {Error} it could not be recorded. One that was live before is live all the same, see `doubt`
   */
  setLive(id: string): void {
    const { live, previous } = this.#file.state
    const record = this.get(id)
    const state = { ...this.#file.state, live: id, previous: live === id ? previous : live }
    if (record === undefined || record.outcome === 'live') {
      this.#file.hold(state)
    } else {
      this.#rewrite({ ...record, outcome: 'live' })
      this.#file.write(state)
    }
    if (this.doubt === undefined) this.prune()
  }

  /** Tries again to record what is live. */
  record(): void {
    if (this.doubt !== undefined) this.#file.hold(this.#file.state)
  }

  /** The release in preview, if its files are there. */
  get preview(): string | undefined {
    const { preview } = this.#file.state
    return preview !== undefined && this.has(preview) ? preview : undefined
  }

  /** It was ready, and can be looked at. */
  setPreviewed(id: string): void {
    const record = this.get(id)
    if (record?.outcome === 'installed') this.#rewrite({ ...record, outcome: 'previewed' })
    this.#file.write({ ...this.#file.state, preview: id })
  }

  endPreview(id: string): void {
    if (this.#file.state.preview === id) this.#file.write({ ...this.#file.state, preview: undefined })
  }

  /** Keeps the record of a release that has failed, and removes its files. */
  takenBack(id: string, reason: string): void {
    const record = this.get(id)
    if (record === undefined || id === this.live) return
    // A release that was live before is as good as it was.
    if (record.outcome === 'live') return
    // The files go first, to make room for the record: they may have filled the disk. The next start finds a crash in between.
    this.#remove(this.#path(id, 'app'))
    for (const name of ['env.json', 'files.json']) fs.rmSync(this.#path(id, name), { force: true })
    this.#rewrite({ ...record, outcome: 'taken-back', reason })
    this.prune()
  }

  /** Removes the oldest, but never what is live, what was live before, or what one of those kept needs. */
  prune(): void {
    const { live, previous } = this.#file.state
    const all = this.list()
    const good = all.filter(({ outcome }) => outcome !== 'taken-back')
    const kept = new Set([live, previous, ...good.slice(0, KEPT).map(({ id }) => id)])
    for (const { id, files } of good) if (kept.has(id) && files !== undefined) kept.add(files)
    for (const { id } of good) if (!kept.has(id)) this.#remove(join(this.folder, id))
    const failed = all.filter(({ outcome }) => outcome === 'taken-back')
    for (const { id } of failed.slice(KEPT_RECORDS)) if (!kept.has(id)) this.#remove(join(this.folder, id))
  }

  /**
   * Gone at once, though not yet from the disk: a release may have 200,000 files, and connections wait for this
   * process. The next start removes what a crash has left.
   */
  #remove(path: string): void {
    const gone = join(this.folder, GONE + randomUUID())
    try {
      fs.renameSync(path, gone)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    const options = { recursive: true, force: true } as const
    if (this.#isInUse) void fs.promises.rm(gone, options).catch(() => undefined)
    else fs.rmSync(gone, options)
  }

  #path(id: string, name: string): string {
    return join(this.folder, id, name)
  }

  #recordOf(id: string): ReleaseRecord | undefined {
    try {
      return recordIn(join(this.folder, id))
    } catch {
      return undefined
    }
  }

  #rewrite(record: ReleaseRecord): void {
    writeSynced(this.#path(record.id, 'release.json'), JSON.stringify(record))
  }

  #readState(): void {
    if (!fs.existsSync(this.#file.path)) return
    const numbers = fs.readdirSync(this.folder).flatMap(name => (isId(name) ? numberOf(name) : []))
    this.#damage = this.#file.read(Math.max(0, ...numbers))
    this.#requireWhole()
  }

  /** A release that a power cut has damaged is not served. The previous release is whole. */
  #requireWhole(): void {
    const { state } = this.#file
    const { live, previous } = state
    const damage = live === STARTED ? undefined : damageOf(this.folder, live)
    if (damage === undefined) return
    const isBeforeWhole =
      previous === STARTED || (previous !== undefined && damageOf(this.folder, previous) === undefined)
    if (previous === undefined || !isBeforeWhole) throw new Error(`${this.#file.path} names ${live}, which ${damage}`)
    this.#damage = `live release ${live} ${damage}; ${previous} is served`
    this.#file.write({ ...state, live: previous, previous: undefined })
    if (!fs.existsSync(join(this.folder, live))) return
    const record = this.get(live) ?? { id: live, at: Date.now(), source: 'unknown' }
    this.#rewrite({ ...record, outcome: 'taken-back', reason: `it ${damage}` })
  }
}

function isId(name: string): boolean {
  return /^r\d+$/.test(name)
}

function numberOf(id: string): number {
  return Number(id.slice(1))
}
