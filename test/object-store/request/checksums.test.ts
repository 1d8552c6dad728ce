import t from 'tap'
import { CHECKSUMS } from '#src/object-store/request/checksums.js'

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
