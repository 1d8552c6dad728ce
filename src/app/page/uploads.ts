import { ask, type PageAnswer } from './page-answer.js'
import { element } from './elements.js'
import { Gallery, type UploadedFile } from './gallery.js'
import { busy, Notice } from './notice.js'
import { uploadFile } from './upload-request.js'

/** Uploading with a progress bar, and the gallery of what was uploaded. */
export function startUploads(): void {
  const form = element('upload', HTMLFormElement)
  const input = element('file', HTMLInputElement)
  const bar = element('upload-progress', HTMLProgressElement)
  const notice = new Notice('uploads')
  const gallery = new Gallery(file => void remove(file))

  form.addEventListener('submit', event => {
    event.preventDefault()
    const file = input.files?.[0]
    if (file !== undefined) void busy(form, () => upload(file))
  })

  async function upload(file: File): Promise<void> {
    bar.value = 0
    bar.hidden = false
    notice.show('plain', `Sending ${file.name}…`)
    const answer = await uploadFile(file, share => (bar.value = share * 100))
    bar.hidden = true
    if (answer.status === 201) {
      const { key, url, size, contentType } = answer.body as Record<string, string | number>
      const facts = { key: String(key), url: String(url), size: Number(size), contentType: String(contentType) }
      gallery.add({ ...facts, name: file.name })
      notice.show('good', `Stored ${file.name}.`, answer)
      form.reset()
    } else if (answer.status === 401) notice.show('bad', 'Sign in to upload files.', answer)
    else notice.fail(answer)
  }

  async function remove(file: UploadedFile): Promise<void> {
    const answer = await ask('DELETE', file.url)
    if (answer.status === 204) forget(file, `Deleted ${file.name}.`, answer)
    else if (answer.status === 401) notice.show('bad', 'Sign in to delete files.', answer)
    else if (answer.status !== 404) notice.fail(answer)
    // The file does not exist or belongs to another account. A GET shows which.
    else if ((await ask('HEAD', file.url)).status === 404) forget(file, `${file.name} was gone already.`, answer)
    else notice.show('bad', `${file.name} belongs to another account.`, answer)
  }

  function forget(file: UploadedFile, text: string, answer: PageAnswer): void {
    gallery.remove(file.key)
    notice.show('plain', text, answer)
    input.focus()
  }
}
