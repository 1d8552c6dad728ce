/** How many of the last lines a client gets that names no number. */
export const DEFAULT_LINES = 50

/** How many a client may ask for. */
export const MAX_LINES = 10_000
