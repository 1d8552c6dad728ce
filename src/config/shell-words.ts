/** One part of a word: quoted, escaped or plain. */
const PART = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy

/**
 * Splits a text into words as a shell does: quotes and backslashes keep blanks together. Nothing is expanded.
 * @returns undefined when a quote is not closed
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = []
  let at = 0
  while (at < text.length) {
    const blank = /\s*/y
    blank.lastIndex = at
    at += blank.exec(text)?.[0].length ?? 0
    if (at >= text.length) break
    let word = ''
    const from = at
    for (let part = partAt(text, at); part !== undefined; part = partAt(text, at)) {
      word += part.text
      at = part.end
    }
    if (at === from) return undefined
    words.push(word)
    if (at < text.length && !/\s/.test(text[at] ?? '')) return undefined
  }
  return words
}

function partAt(text: string, at: number): { text: string; end: number } | undefined {
  PART.lastIndex = at
  const found = PART.exec(text)
  if (found === null) return undefined
  const [, single, double, escaped, plain] = found
  const unquoted = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain ?? ''
  return { text: unquoted, end: PART.lastIndex }
}
