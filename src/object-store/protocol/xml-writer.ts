const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

type XmlScalar = string | number | boolean | undefined
/** Fields in order. A list repeats its element, and undefined fields are left out. */
export interface XmlFields {
  readonly [element: string]: XmlScalar | XmlFields | readonly (XmlScalar | XmlFields)[]
}

/** A whole XML document, by default in S3's namespace (error documents have none). */
export function xmlDocument(root: string, content: string | XmlFields, namespace: string = S3_NAMESPACE): string {
  const attribute = namespace === '' ? '' : ` xmlns="${namespace}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${write(content)}</${root}>`
}

function write(content: Exclude<XmlScalar, undefined> | XmlFields): string {
  if (typeof content !== 'object') return escapeXml(String(content))
  return Object.entries(content)
    .flatMap(([name, value]) => (isList(value) ? value : [value]).map(item => element(name, item)))
    .join('')
}

function element(name: string, content: XmlScalar | XmlFields): string {
  return content === undefined ? '' : `<${name}>${write(content)}</${name}>`
}

function isList(value: XmlFields[string]): value is readonly (XmlScalar | XmlFields)[] {
  return Array.isArray(value)
}

const NAMED: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Writes control characters as references, as S3 does. XML 1.0 forbids them, so clients ask for encoding-type=url. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"'\u0000-\u001f\u007f]/g, found => NAMED[found] ?? `&#x${found.charCodeAt(0).toString(16)};`)
}
