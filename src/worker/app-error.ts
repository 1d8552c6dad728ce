/** The module in APP provides no app. */
export class AppError extends Error {
  constructor(path: string, reason: string, cause?: unknown) {
    super(`APP=${path}: ${reason}`, { cause })
    this.name = 'AppError'
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
