/** The number of bytes that identify one of these types. */
export const SNIFFED_BYTES = 16

/**
 * The type of an image that browsers show and that cannot carry scripts, by its first bytes; undefined for
 * everything else. The type that the uploader declares is ignored.
 */
export function safeImageType(head: Buffer): string | undefined {
  if (head.subarray(0, 8).equals(PNG)) return 'image/png'
  if (head.length >= 3 && head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return 'image/jpeg'
  const text = head.toString('latin1', 0, SNIFFED_BYTES)
  if (/^GIF8[79]a/.test(text)) return 'image/gif'
  if (/^RIFF[^]{4}WEBP/.test(text)) return 'image/webp'
  if (/^[^]{4}ftypavi[fs]/.test(text)) return 'image/avif'
  return undefined
}

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$/
/** Types that a browser would run, or show as an image. */
const RISKY = /^image\/|html|xml|script/

const UNKNOWN_TYPE = 'application/octet-stream'

/** The type to serve a file as: the type found in its bytes, else the declared type unless that is risky. */
export function servedType(head: Buffer, declared: string): string {
  const type = declared.toLowerCase()
  return safeImageType(head) ?? (MEDIA_TYPE.test(type) && !RISKY.test(type) ? type : UNKNOWN_TYPE)
}

const SAFE_IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'])

/** Whether a browser may show it in place. `servedType` gives these to files that are such images, and to no others. */
export function mayBeShown(type: string): boolean {
  return SAFE_IMAGES.has(type)
}
