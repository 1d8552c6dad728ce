/** The same as Node's `headersDistinct`. @param rawHeaders names and values in turn, as in `IncomingMessage.rawHeaders` */
export function headersDistinctOf(rawHeaders: readonly string[]): NodeJS.Dict<string[]> {
  const headers = Object.create(null) as NodeJS.Dict<string[]>
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const values = (headers[(rawHeaders[i] as string).toLowerCase()] ??= [])
    values.push(rawHeaders[i + 1] as string)
  }
  return headers
}

/** @param names lower-cased. A client may send a thousand, so they are not a list. */
export function withoutNames(rawHeaders: string[], names: ReadonlySet<string>): string[] {
  const left: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (!names.has(name.toLowerCase())) left.push(name, rawHeaders[i + 1] as string)
  }
  return left
}

/** The items of a header that holds a list (RFC 9110, section 5.6.1). Empty items are left out. */
export function listOf(value: string | string[] | undefined): string[] {
  if (value === undefined) return []
  const text = Array.isArray(value) ? value.join(',') : value
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}
