/**
 * A WebAssembly module of one function, written down opcode by opcode (WebAssembly core specification, 5.4):
 *
 *     fold(table: i32, at: i32, end: i32, crc: i64): i64
 *
 * It folds the bytes from `at` to `end` into a bit-reversed CRC of up to 64 bits: eight bytes a step, and the rest byte
 * by byte. There are eight tables at `table`, each of 256 entries of eight bytes.
 */
export interface FoldModule {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly fold: (table: number, at: number, end: number, crc: bigint) => bigint
}

/** The part of Node's global that is used here. Node's types do not declare it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { readonly exports: object }
}

const TABLE_BYTES = 256 * 8
const I32 = 0x7f
const I64 = 0x7e
const VOID = 0x40

const [table, at, end, crc] = [0, 1, 2, 3]
const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const i32const = (value: number): number[] => [0x41, ...signed(value)]
const i64const = (value: number): number[] => [0x42, ...signed(value)]
const block = (...body: number[][]): number[] => [0x02, VOID, ...body.flat(), 0x0b]
const loop = (...body: number[][]): number[] => [0x03, VOID, ...body.flat(), 0x0b]
const branch = (depth: number): number[] => [0x0c, depth]
const branchIf = (depth: number): number[] => [0x0d, depth]
const I32_ADD = [0x6a]
const I32_AND = [0x71]
const I32_SHL = [0x74]
const I32_GE_U = [0x4f]
const I32_GT_U = [0x4b]
const I32_WRAP = [0xa7]
const I64_XOR = [0x85]
const I64_SHR_U = [0x88]
const I64_LOAD_BYTE = [0x31, 0, 0]
/** Loads a value. Its address is a multiple of 2 ** `align`. */
const i64load = (align: number, offset: number): number[] => [0x29, align, ...unsigned(offset)]

/** The entry for byte `place` of the crc. Table `slice` is for bytes with so many others behind them. */
const entry = (place: number, slice: number): number[] =>
  [
    ...[get(crc), i64const(8 * place), I64_SHR_U, I32_WRAP, i32const(255), I32_AND, i32const(3), I32_SHL],
    ...[get(table), I32_ADD, i64load(3, slice * TABLE_BYTES)],
  ].flat()

const advance = (bytes: number): number[] => [get(at), i32const(bytes), I32_ADD, set(at)].flat()

const eightBytes = [
  ...[get(crc), get(at), i64load(0, 0), I64_XOR, set(crc)],
  entry(0, 7),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap(place => [entry(place, 7 - place), I64_XOR]),
  ...[set(crc), advance(8)],
]
const oneByte = [
  ...[get(crc), get(at), I64_LOAD_BYTE, I64_XOR, set(crc)],
  ...[entry(0, 0), get(crc), i64const(8), I64_SHR_U, I64_XOR, set(crc), advance(1)],
]
const code = [
  block(loop([...get(at), ...i32const(8), ...I32_ADD, ...get(end)], I32_GT_U, branchIf(1), ...eightBytes, branch(0))),
  block(loop(get(at), get(end), I32_GE_U, branchIf(1), ...oneByte, branch(0))),
  get(crc),
].flat()

/** @param pages the size of its memory, 64 KiB each */
export function assembleFold(pages: number): FoldModule {
  const body = [0, ...code, 0x0b]
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 4, I32, I32, I32, I64, 1, I64]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...exported('memory', 2), ...exported('fold', 0)]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)))
  return exports as FoldModule
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content]
}

function exported(name: string, kind: number): number[] {
  return [name.length, ...Buffer.from(name, 'latin1'), kind, 0]
}

/** LEB128 (5.2.2). */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

function signed(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)]
}
