import type http from 'node:http'
import type { CommandAnswer } from './command-answer.js'
import { archiveOf, bodyOf, optionalBodyOf, pathOf, queryOf } from './command-request.js'
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
  type Deployed,
  type DeployProgress,
  type Progress,
  type Reloaded,
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
    logs: (answer, request) => sendLog(commands.log, answer, queryOf(request, logsQuerySchema)),
    reload: answer => carriedOut(answer, tell => commands.reload(tell).catch(failedWith('RELOAD_FAILED'))),
    scale: async (answer, request) => answer.document(commands.scale(await bodyOf(request, scaleSchema))),
    releases: answer => answer.document({ releases: commands.releases() }),
    deploy: async (answer, request) => {
      answer.outlastsBody = true
      const query = queryOf(request, deployQuerySchema)
      await carriedOut(answer, tell => commands.deploy(archiveOf(request), query, tell))
    },
    environment: answer => answer.document({ env: commands.environment() }),
    setEnvironment: async (answer, request) => {
      const change = await bodyOf(request, environmentChangeSchema, MAX_ENVIRONMENT_BYTES)
      await carriedOut(answer, tell => commands.setEnvironment(change, tell))
    },
    run: answer => answer.document(commands.runPlace()),
    activate: async (answer, request) => {
      const { stages } = queryOf(request, activateQuerySchema)
      await carriedOut(answer, tell => commands.activate(releaseIn(pathOf(request)), stages, tell))
    },
    rollback: async (answer, request) => {
      const { release } = await optionalBodyOf(request, rollbackSchema)
      await carriedOut(answer, tell => commands.rollback(release, tell))
    },
    pause: async (answer, request) => answer.document(await commands.pause(await optionalBodyOf(request, pauseSchema))),
    resume: async answer => answer.document(await commands.resume()),
    maintain: async (answer, request) => {
      const wanted = await bodyOf(request, maintenanceWantedSchema, MAX_MAINTENANCE_BYTES)
      answer.document(await commands.maintain(wanted))
    },
    tokens: answer => answer.document({ tokens: commands.tokens.list() }),
    createToken: async (answer, request) => {
      const { name } = await optionalBodyOf(request, createTokenSchema)
      answer.document(commands.tokens.create(name))
    },
    revokeToken: async (answer, request) => {
      const { id } = await bodyOf(request, revokeTokenSchema)
      commands.tokens.revoke(id)
      answer.document({ revoked: id })
    },
    upgrade: async (answer, request, response) => {
      const { upgrading, handOver } = await commands.upgrade(await bodyOf(request, upgradeWantedSchema))
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

/** A command that takes long: the client gets each step as it comes, and the result. */
async function carriedOut(
  answer: CommandAnswer,
  command: (tell: (event: Progress | DeployProgress) => void) => Promise<Reloaded | Deployed>,
): Promise<void> {
  answer.begin()
  const result = await command(event => answer.progress(event))
  answer.done({ event: 'done', ...result })
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
