import t from 'tap'
import { openFilesToSpare } from '#src/primary/host/open-files-reserve.js'

void t.test('open files are reserved for children, but at most half of them', t => {
  t.equal(openFilesToSpare(2, 400), 320)
  t.equal(openFilesToSpare(64, 1_024), 512)
  t.equal(openFilesToSpare(2, 100), 50)
  t.equal(openFilesToSpare(2, Infinity), Infinity)
  t.end()
})
