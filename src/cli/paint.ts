const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const

export type Colour = keyof typeof CODES

/** Colours a text, or leaves it as it is where colours are off. */
export type Paint = (colour: Colour, text: string) => string

export const plain: Paint = (_colour, text) => text

export const coloured: Paint = (colour, text) => {
  const [on, off] = CODES[colour]
  return `\x1b[${on}m${text}\x1b[${off}m`
}

/** Only terminals get colours, unless NO_COLOR or TERM=dumb forbids them. */
export function paintFor(stream: { isTTY?: boolean; hasColors?: () => boolean }): Paint {
  return stream.isTTY === true && stream.hasColors?.() === true ? coloured : plain
}

const ANSI = /\x1b\[[0-9;]*m/g

/** The text as a terminal shows it, without its colours. */
export function withoutColours(text: string): string {
  return text.replace(ANSI, '')
}
