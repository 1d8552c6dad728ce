import { accessSync, constants, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname, resolve } from 'node:path'
import { coresAllowed } from '../resources/control-group.js'
import { startFolder } from './app-environment.js'
import { findAppModule } from './app-module.js'
import { isTimeZone, scheduleOf } from './schedule.js'
import { shellWords } from './shell-words.js'

/** Turns the text of a variable into its value. */
export interface Parser<Value> {
  /** Completes "must be …", and is the column "accepted" in docs/config.md. */
  accepted: string
  /** Returns undefined for an invalid text. */
  parse(text: string): Value | undefined
}

export const anyText: Parser<string> = { accepted: 'any text', parse: text => text }

export function wholeNumber(min: number, max: number, unit = ''): Parser<number> {
  return {
    accepted: `a whole number from ${min} to ${max}${unit && ` ${unit}`}`,
    parse: text => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
      return value >= min && value <= max ? value : undefined
    },
  }
}

export const milliseconds = wholeNumber(1, 86_400_000, 'milliseconds')

export function oneOf<const Text extends string>(texts: readonly Text[]): Parser<Text> {
  return { accepted: `one of ${texts.join(', ')}`, parse: text => texts.find(known => known === text) }
}

export function textLike(pattern: RegExp, accepted: string): Parser<string> {
  return { accepted, parse: text => (pattern.test(text) ? text : undefined) }
}

export const flag: Parser<boolean> = {
  accepted: '0 or 1',
  parse: text => (text === '0' || text === '1' ? text === '1' : undefined),
}

/** True for one text, false for any other. */
export function whether(expected: string): Parser<boolean> {
  return { accepted: `"${expected}" or any other text`, parse: text => text === expected }
}

const someWorkers = wholeNumber(0, 1_024)

/** The fewest and the most workers that may run. With 0, none runs while no requests come. */
export interface WorkerRange {
  readonly min: number
  readonly max: number
}

export const workerRange: Parser<WorkerRange> = {
  accepted: '"auto" (one per core), a whole number from 1 to 1024, or a range like 2-8 or 0-8',
  parse: text => {
    const [from = '', to = from, ...others] = text === 'auto' ? [String(coresAllowed())] : text.split('-')
    const [min, max] = [someWorkers.parse(from), someWorkers.parse(to)]
    const isRange = min !== undefined && max !== undefined && max >= Math.max(1, min) && others.length === 0
    return isRange ? { min, max } : undefined
  },
}

const someBalancers = wholeNumber(0, 64)

/** A balancer takes about as long for a request as the smallest app. Most apps take many times as long. */
const CORES_OF_A_BALANCER = 4

export const balancerCount: Parser<number> = {
  accepted: '"auto" (one per 4 cores), or a whole number from 0 to 64',
  parse: text => {
    if (text === 'auto') return Math.min(64, Math.max(1, Math.floor(coresAllowed() / CORES_OF_A_BALANCER)))
    return someBalancers.parse(text)
  },
}

const SIZE_UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/** In bytes. */
export const byteSize: Parser<number> = {
  accepted: 'a number of bytes, or one with K, M, G or T, e.g. 512M',
  parse: text => {
    const [, digits, unit = ''] = /^(\d+)([KMGT]?)$/i.exec(text) ?? []
    const bytes = Number(digits) * (SIZE_UNITS[unit.toUpperCase()] ?? 1)
    return Number.isSafeInteger(bytes) ? bytes : undefined
  },
}

/** A text that ends with a number is an invalid address, not a host name. */
const HOST_NAME = /^(?!.*\.\d+\.?$)[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_.])?$/i

export const host: Parser<string> = {
  accepted: 'an IP address or a host name',
  parse: text => (isIP(text) !== 0 || HOST_NAME.test(text) ? text : undefined),
}

/** Stricter than the client, which accepts any text for these parts and fails at each connection. */
export const redisUrl: Parser<string> = {
  accepted: 'a URL like redis://[user:password@]host[:port][/database number] or rediss://…, with %25 for a "%"',
  parse: text => {
    try {
      const { hostname, pathname, searchParams, username, password } = new URL(text)
      for (const part of [username, password]) decodeURIComponent(part)
      // The client compares the scheme letter by letter.
      const hasScheme = /^rediss?:\/\//.test(text)
      const hasDatabase = /^\/?\d*$/.test(pathname) && searchParams.getAll('db').every(db => /^\d+$/.test(db))
      return hasScheme && hostname !== '' && hasDatabase ? text : undefined
    } catch {
      return undefined
    }
  },
}

const numberOfProxies = wholeNumber(0, 32)

export const trustedProxies: Parser<number | string[]> = {
  accepted: 'a whole number from 0 to 32, or IP addresses and CIDR ranges with commas between them',
  parse: text => {
    const ranges = text.split(',').map(range => range.trim())
    return numberOfProxies.parse(text) ?? (ranges.every(isRange) ? ranges : undefined)
  },
}

function isRange(text: string): boolean {
  const [address = '', prefix = '0', ...others] = text.split('/')
  const bits = isIP(address) === 6 ? 128 : 32
  return isIP(address) !== 0 && others.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
}

/** The origin of the URL. */
export const httpOrigin: Parser<string> = {
  accepted: 'a URL like http://host[:port] or https://host[:port], without keys or a path',
  parse: text => {
    try {
      const { protocol, username, password, pathname, search, origin } = new URL(text)
      const isPlain = username + password === '' && pathname === '/' && search === ''
      return ['http:', 'https:'].includes(protocol) && isPlain ? origin : undefined
    } catch {
      return undefined
    }
  },
}

/** The absolute path, links in it as they are. */
export const appPath: Parser<string> = {
  accepted: 'the path of a module that can be read, or of a folder with one',
  parse: text => {
    const path = resolve(startFolder(), text)
    const file = findAppModule(path)?.file
    return file !== undefined && isReadable(file) ? path : undefined
  },
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

export const words: Parser<readonly string[]> = {
  accepted: 'words separated by blanks, quoted as in a shell',
  parse: shellWords,
}

/** The absolute path of a folder, which need not exist yet. */
export const writableFolder: Parser<string> = {
  accepted: 'a folder that this user can make and write to',
  parse: text => {
    const path = resolve(text)
    return canBeFolder(path) ? path : undefined
  },
}

function canBeFolder(path: string): boolean {
  try {
    const isFolder = statSync(path).isDirectory()
    accessSync(path, constants.W_OK | constants.X_OK)
    return isFolder
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' && dirname(path) !== path && canBeFolder(dirname(path))
  }
}

/** A fixed port, a port that Outpost picks if one is needed, or none. */
export const storePort: Parser<number | 'auto' | 'off'> = {
  accepted: 'auto, off, or a port from 1 to 65535',
  parse: text => (text === 'auto' || text === 'off' ? text : wholeNumber(1, 65_535).parse(text)),
}

/** As a crontab has it. */
export const schedule: Parser<string> = {
  accepted: 'a crontab schedule of five fields, or one like @daily',
  parse: text => {
    try {
      return scheduleOf(text, 'UTC').text
    } catch {
      return undefined
    }
  },
}

/** As IANA names them. */
export const timeZone: Parser<string> = {
  accepted: 'a time zone like Europe/Berlin',
  parse: text => (isTimeZone(text) ? text : undefined),
}

/** How many of each process of the Procfile run, by its name. One that is not named runs once. */
export type Formation = Readonly<Record<string, number>>

const MAX_OF_ONE_KIND = 64
const ofOneKind = wholeNumber(0, MAX_OF_ONE_KIND)

/** As `foreman start -m` takes them. */
export const formation: Parser<Formation | 'off'> = {
  accepted: `"off", or numbers like worker=2,mailer=0, up to ${MAX_OF_ONE_KIND} each`,
  parse: text => {
    if (text === 'off') return 'off'
    const pairs = text
      .split(',')
      .filter(pair => pair !== '')
      .map(pair => /^([A-Za-z0-9_-]+)=(\d+)$/.exec(pair.trim()))
    const counts = pairs.map((found): [string, number | undefined] => [
      found?.[1] ?? '',
      ofOneKind.parse(found?.[2] ?? ''),
    ])
    if (counts.some(([, count]) => count === undefined)) return undefined
    return Object.fromEntries(counts) as Record<string, number>
  },
}
