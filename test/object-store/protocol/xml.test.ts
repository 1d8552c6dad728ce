import t from 'tap'
import { childText, parseXml } from '#src/object-store/protocol/xml-parser.js'
import { xmlDocument } from '#src/object-store/protocol/xml-writer.js'

const malformed = { code: 'MalformedXML' }

void t.test('the XML that S3 clients send is read', t => {
  const root = parseXml(
    `\uFEFF<?xml version="1.0" encoding="UTF-8"?>
    <s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" other='x'>
      <s3:Object><s3:Key>a&amp;b&lt;&#x1F600;&#65;</s3:Key><s3:Empty/></s3:Object >
    </s3:Delete>`,
    5,
  )
  t.equal(root.name, 'Delete')
  const [object] = root.children
  t.equal(object && childText(object, 'Key'), 'a&b<😀A')
  t.equal(object && childText(object, 'Empty'), '')
  t.equal(object && childText(object, 'Missing'), undefined)
  t.end()
})

void t.test('the spaces of a key are kept', t => {
  t.equal(childText(parseXml('<a><Key> two  spaces </Key></a>', 2), 'Key'), ' two  spaces ')
  t.end()
})

void t.test('malformed XML is refused', t => {
  const sources = [
    '',
    'text',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a>text',
    '<a b></a>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>&unknown;</a>',
    '<a>& </a>',
    '<a>&amp</a>',
    '<a>&constructor;</a>',
    '<a>&#x00000041;</a>',
    '<a>&#xD800;</a>',
    '<a>&#x110000;</a>',
    '<a><!-- comment --></a>',
    '<a><![CDATA[x]]></a>',
    '<a><?php ?></a>',
    '<a>'.repeat(50_000),
  ]
  for (const source of sources) t.throws(() => parseXml(source, 100_000), malformed, source.slice(0, 40))
  t.end()
})

void t.test('a document of more elements than were allowed is malformed', t => {
  t.equal(parseXml('<a><b/><b/></a>', 3).children.length, 2)
  t.throws(() => parseXml('<a><b/><b/></a>', 2), malformed)
  t.end()
})

void t.test('a document of two million entities is refused at the first bad one', t => {
  const before = process.memoryUsage().heapUsed
  t.throws(() => parseXml(`<a>${'&'.repeat(2 << 20)}</a>`, 1), malformed)
  t.ok(process.memoryUsage().heapUsed - before < 32 << 20, 'nothing was collected before')
  t.equal(parseXml(`<a>${'&amp;'.repeat(400_000)}</a>`, 1).text.length, 400_000)
  t.end()
})

void t.test('XML is written with fields in order, lists repeated, undefined fields left out, and text escaped', t => {
  const document = xmlDocument(
    'Result',
    { Name: 'a<b>&"\u0001', Size: 3, Gone: undefined, Key: [{ V: 1 }, { V: 2 }] },
    '',
  )
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
  const fields = '<Name>a&lt;b&gt;&amp;&quot;&#x1;</Name><Size>3</Size><Key><V>1</V></Key><Key><V>2</V></Key>'
  t.equal(document, `${declaration}<Result>${fields}</Result>`)
  t.end()
})
