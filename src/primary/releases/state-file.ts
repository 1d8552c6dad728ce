import fs from 'node:fs'
import { join } from 'node:path'
import { overwriteSynced, writeSynced } from '../../process/synced-file.js'
import { stateFrom, type ReleaseState } from './release-records.js'
import { STARTED } from './release-switch.js'

const STATE = 'state.json'
const STATE_BEFORE = 'state.before.json'

/** The bytes of every state, so that one is written over another in place. */
const LENGTH = 511

/**
 * The record of the live release, in the folder of the releases. `state.json` is replaced in one step, so a crash leaves
 * the old one or the new one. `state.before.json` is the previous one, for a disk that has lost a confirmed write. On a
 * full disk both are written over, one after the other: that needs no room, and one of them is whole at any time.
 */
export class StateFile {
  readonly path: string
  readonly #before: string
  #state: ReleaseState = { live: STARTED, last: 0 }
  #doubt: string | undefined

  constructor(folder: string) {
    this.path = join(folder, STATE)
    this.#before = join(folder, STATE_BEFORE)
  }

  get state(): ReleaseState {
    return this.#state
  }

  /** Why the state is not on the disk; undefined if it is. */
  get doubt(): string | undefined {
    return this.#doubt
  }

  /**
   * @param last the number of the newest release that is there: a state that is older may not know it
   * @returns the damage, if the previous state was used
   * @throws {Error} neither can be read
   */
  read(last: number): string | undefined {
    let damage: string | undefined
    try {
      this.#state = stateFrom(this.path)
    } catch (error) {
      if (!fs.existsSync(this.#before)) throw error
      this.#state = stateFrom(this.#before)
      damage = `${(error as Error).message}; the previous state is used`
    }
    this.#state = { ...this.#state, last: Math.max(this.#state.last, last) }
    return damage
  }

  /** @throws {Error} it could not be recorded, and the state is as it was */
  write(state: ReleaseState): void {
    const [before, after] = [this.#state, state].map(each => JSON.stringify(each).padEnd(LENGTH)) as [string, string]
    try {
      writeSynced(this.#before, before)
      writeSynced(this.path, after)
    } catch (error) {
      if (!isFull(error)) throw error
      overwriteSynced(this.#before, before)
      overwriteSynced(this.path, after)
    }
    this.#state = state
    this.#doubt = undefined
  }

  /** The state is this from now on, even if it cannot be recorded yet. The next one that is written has it as well. */
  hold(state: ReleaseState): void {
    try {
      this.write(state)
    } catch (error) {
      this.#state = state
      this.#doubt = (error as Error).message
    }
  }
}

/** No block, no file, or no quota is left. */
function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}
