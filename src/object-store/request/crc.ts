import { assembleFold } from './crc-module.js'

/**
 * The CRCs of S3 that Node does not have. See docs/decisions/018: a loop in JavaScript takes five times as long as the
 * MD5 that every upload needs anyway.
 */

const SLICES = 8
const TABLE = 256
const ENTRY_BYTES = 8
const TABLES_BYTES = SLICES * TABLE * ENTRY_BYTES
const PAGE_BYTES = 64 * 1024
/** Pieces are copied into the memory of the module, at most this many bytes at once. */
const WINDOW_BYTES = 128 * 1024

/** Those of zlib, of Castagnoli (RFC 3720, B.4) and of CRC-64/NVME, all bit-reversed. */
const POLYNOMIALS = { crc32: 0xedb88320n, crc32c: 0x82f63b78n, crc64nvme: 0x9a6c9329ac4bc9b5n } as const
const BITS = { crc32: 32, crc32c: 32, crc64nvme: 64 } as const

type CrcName = keyof typeof POLYNOMIALS
/** Node has the third one. */
type TabledName = 'crc32c' | 'crc64nvme'

/** A CRC under way. */
export class Crc {
  readonly #ones: bigint
  #value: bigint

  constructor(private readonly name: TabledName) {
    this.#ones = (1n << BigInt(BITS[name])) - 1n
    this.#value = this.#ones
  }

  update(piece: Buffer): void {
    for (let at = 0; at < piece.length; at += WINDOW_BYTES) {
      const part = piece.subarray(at, at + WINDOW_BYTES)
      window.set(part)
      this.#value = BigInt.asUintN(64, fold(tableOf[this.name], windowAt, windowAt + part.length, this.#value))
    }
  }

  /** The value, most significant byte first. */
  digest(): Buffer {
    const hex = (this.#value ^ this.#ones).toString(16)
    return Buffer.from(hex.padStart(BITS[this.name] / 4, '0'), 'hex')
  }
}

const tableOf: Readonly<Record<TabledName, number>> = { crc32c: 0, crc64nvme: TABLES_BYTES }
const windowAt = 2 * TABLES_BYTES
const { memory, fold } = assembleFold(Math.ceil((windowAt + WINDOW_BYTES) / PAGE_BYTES))
const window = new Uint8Array(memory.buffer, windowAt, WINDOW_BYTES)
fillTables('crc32c')
fillTables('crc64nvme')

/** "Slicing by 8": one table for each place of a byte in a step of eight, so that the lookups do not wait for each other. */
function fillTables(name: TabledName): void {
  const table = new BigUint64Array(memory.buffer, tableOf[name], SLICES * TABLE)
  for (let index = 0; index < table.length; index++) {
    const before = index < TABLE ? BigInt(index) : (table[index - TABLE] ?? 0n)
    table[index] =
      index < TABLE ? eightBits(before, POLYNOMIALS[name]) : (before >> 8n) ^ (table[Number(before & 0xffn)] ?? 0n)
  }
}

function eightBits(byte: bigint, polynomial: bigint): bigint {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n
  return value
}

/**
 * The CRC of several pieces behind each other, from the CRC of each: that of the pieces before is moved by the length of
 * the next one, which is a multiplication by a power of x.
 */
export function combineCrcs(
  name: CrcName,
  pieces: readonly { readonly value: Buffer; readonly size: number }[],
): Buffer {
  const field = new Field(POLYNOMIALS[name], BITS[name])
  const powers = new Map<number, bigint>()
  let whole = 0n
  for (const { value, size } of pieces) {
    // Nearly all parts of an upload have the same size.
    const power = powers.get(size) ?? field.powerOfX(8n * BigInt(size))
    powers.set(size, power)
    whole = field.multiply(whole, power) ^ BigInt(`0x${value.toString('hex')}`)
  }
  return Buffer.from(whole.toString(16).padStart(BITS[name] / 4, '0'), 'hex')
}

/** Polynomials over GF(2) modulo that of a CRC, bit-reversed: the highest bit is the coefficient of 1. */
class Field {
  readonly #one: bigint

  constructor(
    private readonly polynomial: bigint,
    bits: number,
  ) {
    this.#one = 1n << BigInt(bits - 1)
  }

  multiply(a: bigint, b: bigint): bigint {
    let product = 0n
    let shifted = b
    for (let bit = this.#one; bit > 0n; bit >>= 1n) {
      if (a & bit) product ^= shifted
      shifted = this.#timesX(shifted)
    }
    return product
  }

  powerOfX(exponent: bigint): bigint {
    let power = this.#one
    let square = this.#timesX(this.#one)
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) power = this.multiply(power, square)
      square = this.multiply(square, square)
    }
    return power
  }

  #timesX(value: bigint): bigint {
    return value & 1n ? (value >> 1n) ^ this.polynomial : value >> 1n
  }
}
