import t from 'tap'
import { CHECKSUMS, checksumOfParts } from '#src/object-store/request/checksums.js'

/** The check values that the catalogues of CRCs give for the digits 1 to 9; the hashes are those of OpenSSL. */
const expected: Record<string, string> = {
  crc32: 'cbf43926',
  crc32c: 'e3069283',
  crc64nvme: 'ae8b14860a799888',
  sha1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
}

for (const [algorithm, start] of Object.entries(CHECKSUMS)) {
  void t.test(`${algorithm} gives the published check value, in one piece and in several`, t => {
    for (const pieces of [['123456789'], ['1', '2345', '', '6789']]) {
      const checksum = start()
      for (const piece of pieces) checksum.update(Buffer.from(piece))
      t.equal(Buffer.from(checksum.digest(), 'base64').toString('hex'), expected[algorithm])
    }
    t.end()
  })
}

/** Bit by bit, as the definitions have it. */
function slowCrc(bytes: Buffer, polynomial: bigint, bits: bigint): bigint {
  const ones = (1n << bits) - 1n
  let value = ones
  for (const byte of bytes) {
    value ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n
  }
  return value ^ ones
}

void t.test('the fast CRCs agree with their definitions, for any length and pieces', t => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 89 + 17) & 255))
  const definitions = { crc32c: [0x82f63b78n, 32n], crc64nvme: [0x9a6c9329ac4bc9b5n, 64n] } as const
  for (const [algorithm, [polynomial, bits]] of Object.entries(definitions)) {
    for (let length = 0; length <= bytes.length; length++) {
      const checksum = CHECKSUMS[algorithm as 'crc32c']()
      checksum.update(bytes.subarray(0, length >> 1))
      checksum.update(bytes.subarray(length >> 1, length))
      const value = BigInt(`0x${Buffer.from(checksum.digest(), 'base64').toString('hex')}`)
      if (value !== slowCrc(bytes.subarray(0, length), polynomial, bits)) t.fail(`${algorithm} of ${length} bytes`)
    }
  }
  t.end()
})

void t.test('the fast CRCs take pieces that are larger than their memory', t => {
  const bytes = Buffer.alloc(300_001, 'larger than a window')
  for (const algorithm of ['crc32c', 'crc64nvme'] as const) {
    const [whole, pieces] = [CHECKSUMS[algorithm](), CHECKSUMS[algorithm]()]
    whole.update(bytes)
    for (let at = 0; at < bytes.length; at += 1_001) pieces.update(bytes.subarray(at, at + 1_001))
    t.equal(whole.digest(), pieces.digest())
  }
  t.end()
})

void t.test('the CRC of a whole object follows from those of its parts', t => {
  const parts = [70_000, 1, 70_000, 0, 70_000, 12_345].map((size, index) => Buffer.alloc(size, `part ${index}`))
  for (const algorithm of ['crc32', 'crc32c', 'crc64nvme'] as const) {
    const digest = (...pieces: Buffer[]): string => {
      const checksum = CHECKSUMS[algorithm]()
      for (const piece of pieces) checksum.update(piece)
      return checksum.digest()
    }
    const given = parts.map(part => ({ value: digest(part), size: part.length }))
    const { value } = checksumOfParts({ algorithm, type: 'FULL_OBJECT' }, given)
    t.equal(value, digest(...parts), algorithm)
  }
  t.end()
})
