import { answerOf, NO_ANSWER, type PageAnswer } from './page-answer.js'

/**
 * Sends a file as the multipart field `file`. Uses XMLHttpRequest, because `fetch` does not report the progress.
 * @param onProgress called with the share that has been sent, from 0 to 1
 */
export function uploadFile(file: File, onProgress: (share: number) => void): Promise<PageAnswer> {
  return new Promise(resolve => {
    const request = new XMLHttpRequest()
    request.upload.addEventListener('progress', ({ loaded, total, lengthComputable }) => {
      if (lengthComputable && total > 0) onProgress(loaded / total)
    })
    request.addEventListener('load', () => {
      resolve(answerOf(request.status, request.responseText, name => request.getResponseHeader(name)))
    })
    for (const end of ['error', 'abort', 'timeout']) request.addEventListener(end, () => resolve(NO_ANSWER))
    const form = new FormData()
    form.append('file', file)
    request.open('POST', '/upload')
    request.send(form)
  })
}
