const BOUNDARY = '----outpost-form'

/** The header of a request with such a form. */
export const formType = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }

export interface Part {
  /** Undefined: no name at all. */
  name?: string
  filename?: string
  type?: string
  content: Buffer | string
}

/** The head of a part, up to its content. Names are not escaped: a test may want bad ones. */
export function partHead({ name, filename, type }: Omit<Part, 'content'>): string {
  const named = name === undefined ? '' : `; name="${name}"`
  const disposition = `form-data${named}${filename === undefined ? '' : `; filename="${filename}"`}`
  return [
    `--${BOUNDARY}`,
    `Content-Disposition: ${disposition}`,
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    '',
    '',
  ].join('\r\n')
}

export const FORM_END = `\r\n--${BOUNDARY}--\r\n`

export function form(...parts: Part[]): Buffer {
  const pieces = parts.flatMap(({ content, ...head }) => [partHead(head), content, '\r\n'])
  return Buffer.concat([...pieces, `--${BOUNDARY}--\r\n`].map(piece => Buffer.from(piece)))
}
