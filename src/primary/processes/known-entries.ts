import type { ServedBy } from '../../ipc/messages.js'
import type { AppCode } from './app-code.js'

/** The code of a worker. */
interface RunCode {
  release: string
  /** The code of a release changes where a person edits the folder. */
  code: AppCode
}

/**
 * The part of each app that serves. A worker waits for an app that has neither listened on PORT nor ended its other work,
 * because it may listen yet. When one worker has waited for nothing, later ones with the same code need not wait. When a
 * worker listens on PORT after all, they wait again.
 */
export class KnownEntries {
  readonly #known = new Map<string, { code: AppCode; by: ServedBy }>()

  /** @returns whether a later worker waits no more, from now on */
  note({ release, code }: RunCode, by: ServedBy, waited: boolean): boolean {
    const before = this.#known.get(release)
    const isSame = before !== undefined && isUnchanged(code, before.code)
    if (by === 'public-port') this.#known.set(release, { code, by })
    else if (waited && !isSame) this.#known.set(release, { code, by })
    else return false
    return by !== 'public-port'
  }

  /** The part that serves in a worker without a wait; undefined if the worker has to wait. */
  of({ release, code }: RunCode): ServedBy | undefined {
    const known = this.#known.get(release)
    if (known === undefined || known.by === 'public-port') return undefined
    return isUnchanged(code, known.code) ? known.by : undefined
  }
}

function isUnchanged(code: AppCode, before: AppCode): boolean {
  return code.main === before.main && !code.changedSince(before.startedAt)
}
