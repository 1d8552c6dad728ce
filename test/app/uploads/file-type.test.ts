import t from 'tap'
import { mayBeShown, safeImageType, servedType } from '#src/app/uploads/file-type.js'

void t.test('an image is recognised by its first bytes', async t => {
  const images: Array<[head: string, type: string]> = [
    ['\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'image/png'],
    ['\xff\xd8\xff\xe0\0\x10JFIF', 'image/jpeg'],
    ['GIF87a', 'image/gif'],
    ['GIF89a', 'image/gif'],
    ['RIFF\n\0\r\nWEBPVP8 ', 'image/webp'],
    ['\0\0\0 ftypavif\0\0\0\0', 'image/avif'],
  ]
  for (const [head, type] of images) {
    t.equal(safeImageType(Buffer.from(head, 'latin1')), type)
    t.equal(servedType(Buffer.from(head, 'latin1'), 'text/html'), type)
    t.ok(mayBeShown(type))
  }
  for (const head of ['', 'x', '\x89PN', '\xff\xd8', 'GIF88a', 'RIFF1234WAVE', '<svg/>', 'BM', 'xGIF89a']) {
    t.equal(safeImageType(Buffer.from(head, 'latin1')), undefined, head)
  }
})

void t.test('the declared type of a file is used unless it is risky', async t => {
  const head = Buffer.from('<script>alert(1)</script>')
  for (const type of ['text/plain', 'application/pdf', 'Application/JSON', 'video/mp4']) {
    t.equal(servedType(head, type), type.toLowerCase())
    t.notOk(mayBeShown(servedType(head, type)))
  }
  const risky = ['image/png', 'image/svg+xml', 'text/html', 'application/xhtml+xml', 'text/javascript', 'text/xml']
  const malformed = [
    '',
    'text',
    'text/',
    '/plain',
    'text/plain; charset=x',
    'a b/c',
    `${'a'.repeat(100)}/b`,
    'a/b\r\nx: y',
  ]
  for (const type of [...risky, ...malformed]) t.equal(servedType(head, type), 'application/octet-stream', type)
})
