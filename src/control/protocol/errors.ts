import type { DeployReport } from './releases.js'

/** Every error of the control API. */
export const controlErrors = {
  MALFORMED_COMMAND: { status: 400, detail: 'The request is not well-formed HTTP/1.1.' },
  UNEXPECTED_BODY: { status: 400, detail: 'This command takes no body.' },
  INVALID_BODY: { status: 400, detail: 'The body is not the JSON that this command accepts.' },
  INVALID_QUERY: { status: 400, detail: 'This route does not accept this query.' },
  UNAUTHORIZED: { status: 401, detail: 'The request has no token of this instance: outpost token create makes one.' },
  FOREIGN_ORIGIN: { status: 403, detail: 'The Host or the Origin of the request does not belong to this port.' },
  SOCKET_ONLY: { status: 403, detail: 'Tokens and upgrades are managed over the unix socket alone.' },
  UNKNOWN_TOKEN: { status: 404, detail: 'There is no such token.' },
  TOO_MANY_TOKENS: { status: 409, detail: 'The limit of tokens is reached: revoke one.' },
  UNKNOWN_ROUTE: { status: 404, detail: 'The control API has no such route.' },
  WRONG_METHOD: { status: 405, detail: 'This route takes another method; Allow names it.' },
  COMMAND_TIMEOUT: { status: 408, detail: 'The command did not arrive in time.' },
  MODE_IS_FIXED: { status: 409, detail: 'A change from or to mesh mode needs a restart.' },
  UNKNOWN_PROCESS: { status: 404, detail: 'The Procfile of the live release has no such process.' },
  UNKNOWN_RELEASE: { status: 404, detail: 'There is no such release to go back to.' },
  ALREADY_LIVE: { status: 409, detail: 'This release is live already. Nothing has changed.' },
  DEPLOY_UNDER_WAY: {
    status: 409,
    detail: 'A deploy or a rollback is under way. Nothing has changed; try again later.',
  },
  RELOAD_UNDER_WAY: { status: 409, detail: 'A reload is under way. Nothing has changed; try again once it has ended.' },
  ROLLED_BACK: { status: 409, detail: 'The app was rolled back meanwhile, so this deploy or reload is given up.' },
  UPGRADE_UNDER_WAY: { status: 409, detail: 'An upgrade of Outpost is under way. Try again once it has ended.' },
  COMMAND_TOO_LARGE: { status: 431, detail: 'The request line or the headers are too large.' },
  ARCHIVE_REFUSED: { status: 422, detail: 'The archive is refused, and nothing of it is kept.' },
  INSTALL_FAILED: { status: 422, detail: 'The release could not be installed, and nothing of it is kept.' },
  UPGRADE_REFUSED: { status: 422, detail: 'The other version cannot serve, and nothing has changed.' },
  TAKEN_BACK: { status: 500, detail: 'The release failed and was taken back; the previous one serves.' },
  RELOAD_FAILED: { status: 500, detail: 'A new worker did not become ready, or ended soon after.' },
  START_FAILED: { status: 500, detail: 'A worker did not become ready, and nothing is served.' },
  COMMAND_FAILED: { status: 500, detail: 'The command failed inside Outpost.' },
  STILL_IN_FLIGHT: {
    status: 504,
    detail: 'Requests were still in flight when the pause ended. Waiting requests go on.',
  },
  STOPPING: { status: 503, detail: 'Outpost is stopping.' },
} as const

export type ControlErrorCode = keyof typeof controlErrors

interface ControlErrorFacts {
  message?: string
  lastLines?: readonly string[] | undefined
  report?: DeployReport | undefined
}

/** A command that failed, with a code of the catalogue. */
export class ControlError extends Error {
  /** The last output of the failed worker, if a worker failed. */
  readonly lastLines: readonly string[] | undefined

  /** The figures of both releases, if a release was tried. */
  readonly report: DeployReport | undefined

  constructor(
    readonly code: ControlErrorCode,
    { message, lastLines, report, ...options }: ErrorOptions & ControlErrorFacts = {},
  ) {
    super(message ?? controlErrors[code].detail, options)
    this.name = 'ControlError'
    this.lastLines = lastLines
    this.report = report
  }

  get status(): number {
    return controlErrors[this.code].status
  }
}
