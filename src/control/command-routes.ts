import type http from 'node:http'
import type { CommandAnswer } from './command-answer.js'
import { archiveOf, bodyOf, carriesBody, pathOf, queryOf } from './command-request.js'
import type { Commands } from './commands.js'
import { sendLog } from './log-answer.js'
import { describeControlApi } from './openapi.js'
import {
  activateQuerySchema,
  ControlError,
  createTokenSchema,
  deployQuerySchema,
  environmentChangeSchema,
  logsQuerySchema,
  maintenanceWantedSchema,
  pauseSchema,
  revokeTokenSchema,
  rollbackSchema,
  scaleSchema,
  upgradeWantedSchema,
  type ControlErrorCode,
  type RouteName,
} from './protocol.js'

const MAX_ENVIRONMENT_BYTES = 256 * 1024
/** A page of 256 KiB in JSON. */
const MAX_MAINTENANCE_BYTES = 2 * 1024 * 1024

/** Reads what a request asks for, has it carried out, and answers. Throws what is then the answer. */
export type CommandRoute = (
  answer: CommandAnswer,
  request: http.IncomingMessage,
  response: http.ServerResponse,
) => Promise<void> | void

/** The routes of the control API, and the command behind each. */
export function commandRoutes(commands: Commands): Record<RouteName, CommandRoute> {
  return {
    status: answer => answer.document(commands.status()),
    openapi: answer => answer.document(describeControlApi()),
    serving: async answer => {
      await commands.serving().catch(failedWith('START_FAILED'))
      answer.document(commands.status())
    },
    logs: (answer, request) => {
      const query = logsQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      sendLog(commands.log, answer, query.data)
    },
    reload: async answer => {
      answer.begin()
      const { replaced } = await commands.reload(event => answer.progress(event)).catch(failedWith('RELOAD_FAILED'))
      answer.done({ event: 'done', replaced })
    },
    scale: async (answer, request) => {
      const wanted = scaleSchema.safeParse(await bodyOf(request))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(commands.scale(wanted.data))
    },
    releases: answer => answer.document({ releases: commands.releases() }),
    deploy: async (answer, request) => {
      answer.outlastsBody = true
      const query = deployQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      answer.begin()
      const deployed = await commands.deploy(archiveOf(request), query.data, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    environment: answer => answer.document({ env: commands.environment() }),
    setEnvironment: async (answer, request) => {
      const change = environmentChangeSchema.safeParse(await bodyOf(request, MAX_ENVIRONMENT_BYTES))
      if (!change.success) throw new ControlError('INVALID_BODY')
      answer.begin()
      const deployed = await commands.setEnvironment(change.data, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    run: answer => answer.document(commands.runPlace()),
    activate: async (answer, request) => {
      const query = activateQuerySchema.safeParse(queryOf(request))
      if (!query.success) throw new ControlError('INVALID_QUERY')
      const release = releaseIn(pathOf(request))
      answer.begin()
      const deployed = await commands.activate(release, query.data.stages, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    rollback: async (answer, request) => {
      const wanted = rollbackSchema.safeParse(carriesBody(request) ? await bodyOf(request) : {})
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.begin()
      const deployed = await commands.rollback(wanted.data.release, event => answer.progress(event))
      answer.done({ event: 'done', ...deployed })
    },
    pause: async (answer, request) => {
      const pause = pauseSchema.safeParse(carriesBody(request) ? await bodyOf(request) : {})
      if (!pause.success) throw new ControlError('INVALID_BODY')
      answer.document(await commands.pause(pause.data))
    },
    resume: async answer => answer.document(await commands.resume()),
    maintain: async (answer, request) => {
      const wanted = maintenanceWantedSchema.safeParse(await bodyOf(request, MAX_MAINTENANCE_BYTES))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(await commands.maintain(wanted.data))
    },
    tokens: answer => answer.document({ tokens: commands.tokens.list() }),
    createToken: async (answer, request) => {
      const wanted = createTokenSchema.safeParse(carriesBody(request) ? await bodyOf(request) : {})
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      answer.document(commands.tokens.create(wanted.data.name))
    },
    revokeToken: async (answer, request) => {
      const wanted = revokeTokenSchema.safeParse(await bodyOf(request))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      commands.tokens.revoke(wanted.data.id)
      answer.document({ revoked: wanted.data.id })
    },
    upgrade: async (answer, request, response) => {
      const wanted = upgradeWantedSchema.safeParse(await bodyOf(request))
      if (!wanted.success) throw new ControlError('INVALID_BODY')
      const { upgrading, handOver } = await commands.upgrade(wanted.data)
      // This is done even if the client has left before its answer.
      if (response.closed) handOver()
      else response.once('close', handOver)
      answer.document(upgrading, 202)
    },
    stop: (answer, _request, response) => {
      answer.begin()
      // This is done even if the client has left before its answer.
      response.once('close', () => commands.stop())
      answer.done({ event: 'stopping', pid: process.pid }, 202)
    },
  }
}

function failedWith(code: ControlErrorCode): (cause: unknown) => never {
  return cause => {
    if (cause instanceof ControlError) throw cause
    const { message, lastLines } = cause as Error & { lastLines?: readonly string[] }
    throw new ControlError(code, { message, cause, ...(lastLines === undefined ? {} : { lastLines }) })
  }
}

function releaseIn(path: string): string {
  return path.split('/')[3] ?? ''
}
