import { randomBytes } from 'node:crypto'
import t from 'tap'
import { UploadForm } from '#src/app/uploads/upload-form.js'
import { jsonOf } from '../../helpers/client.js'
import { form, FORM_END, partHead, sendForm, UploadRequest } from '../../helpers/forms.js'
import { serveRoute } from '../../helpers/route-server.js'

const CONTENT = randomBytes(200_000)

/** Answers with the size of the file. */
const base = await serveRoute(t, async (request, response) => {
  const upload = new UploadForm(request, 1024 ** 2)
  try {
    let size = 0
    for await (const chunk of (await upload.file()).bytes) size += chunk.length
    response.json({ size })
  } catch (error) {
    upload.refuse(error as Error)
    throw error
  }
})

void t.test('a well-formed form gives its file', async t => {
  const answer = await sendForm(base, form({ name: 'file', filename: 'x', content: CONTENT }), {})
  t.strictSame(jsonOf(answer), { size: CONTENT.length })
})

void t.test('a form that is cut short anywhere is malformed, with either framing', async t => {
  const head = Buffer.from(partHead({ name: 'file', filename: 'x' }))
  const whole = Buffer.concat([head, CONTENT, Buffer.from(FORM_END)])
  const inTheFile = [1, 100, 65_536, 100_000, CONTENT.length - 1, CONTENT.length].map(bytes => head.length + bytes)
  const cuts = [1, head.length - 1, head.length, ...inTheFile, whole.length - 10, whole.length - 4]
  for (const cut of cuts) {
    const body = whole.subarray(0, cut)
    const chunked = new UploadRequest(base, {})
    await chunked.write(body)
    chunked.request.end()
    for (const answer of [await sendForm(base, body, {}), await chunked.answer]) {
      t.equal(answer.status, 400, `${cut}: ${answer.text}`)
    }
    if (cut > head.length) t.equal(jsonOf(await chunked.answer)['code'], 'MALFORMED_BODY')
  }
})
