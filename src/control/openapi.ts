/** The OpenAPI 3.1 description of the control API, made from its routes and schemas. */

import * as z from 'zod'
import {
  activateQuerySchema,
  contentTypes,
  controlErrors,
  createdTokenSchema,
  createTokenSchema,
  deployedSchema,
  deployEventSchema,
  deployQuerySchema,
  environmentChangeSchema,
  environmentSchema,
  logEventSchema,
  logsQuerySchema,
  logsSchema,
  maintenanceSetSchema,
  maintenanceWantedSchema,
  pausedSchema,
  pauseSchema,
  problemSchema,
  reloadedSchema,
  releasesSchema,
  reloadEventSchema,
  resumedSchema,
  revokedTokenSchema,
  revokeTokenSchema,
  rollbackSchema,
  runSchema,
  routes,
  scaledSchema,
  scaleSchema,
  statusSchema,
  stopEventSchema,
  stoppingSchema,
  tokensSchema,
  upgradeWantedSchema,
  upgradingSchema,
  type ControlErrorCode,
  type RouteName,
} from './protocol.js'

const schemas = {
  Status: statusSchema,
  Logs: logsSchema,
  LogEvent: logEventSchema,
  Reloaded: reloadedSchema,
  ReloadEvent: reloadEventSchema,
  Scale: scaleSchema,
  Scaled: scaledSchema,
  Releases: releasesSchema,
  Rollback: rollbackSchema,
  Environment: environmentSchema,
  EnvironmentChange: environmentChangeSchema,
  RunPlace: runSchema,
  Deployed: deployedSchema,
  DeployEvent: deployEventSchema,
  Pause: pauseSchema,
  Paused: pausedSchema,
  Resumed: resumedSchema,
  MaintenanceWanted: maintenanceWantedSchema,
  MaintenanceSet: maintenanceSetSchema,
  Tokens: tokensSchema,
  CreateToken: createTokenSchema,
  CreatedToken: createdTokenSchema,
  RevokeToken: revokeTokenSchema,
  RevokedToken: revokedTokenSchema,
  UpgradeWanted: upgradeWantedSchema,
  Upgrading: upgradingSchema,
  Stopping: stoppingSchema,
  StopEvent: stopEventSchema,
  Problem: problemSchema,
}

type SchemaName = keyof typeof schemas

const ref = (name: SchemaName): object => ({ $ref: `#/components/schemas/${name}` })

/** A document, or the events for a client that asks for them. */
function content(document: SchemaName, events?: SchemaName): object {
  return {
    [contentTypes.json]: { schema: ref(document) },
    ...(events === undefined ? {} : { [contentTypes.events]: { schema: ref(events) } }),
  }
}

/** The answers for errors, by status. Several codes may share one. */
function problems(...codes: ControlErrorCode[]): Record<number, object> {
  const answers: Record<number, { description: string; content: object }> = {}
  for (const code of codes) {
    const { status, detail } = controlErrors[code]
    const before = answers[status]?.description
    const description = `${before === undefined ? '' : `${before} `}\`${code}\`: ${detail}`
    answers[status] = { description, content: { [contentTypes.problem]: { schema: ref('Problem') } } }
  }
  return answers
}

function parametersOf(query: Readonly<Record<string, z.ZodType>>): object[] {
  return Object.entries(query).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: z.toJSONSchema(schema, { io: 'input' }),
  }))
}

const ONE_CHANGE_AT_A_TIME = ['DEPLOY_UNDER_WAY', 'RELOAD_UNDER_WAY', 'UPGRADE_UNDER_WAY'] as const

const operations: Record<RouteName, object> = {
  status: {
    summary: 'The primary, its address and its processes',
    responses: { 200: { description: 'The status', content: content('Status') }, ...problems('COMMAND_FAILED') },
  },
  serving: {
    summary: 'Wait until the first request can be answered',
    responses: {
      200: { description: 'The status, once it serves', content: content('Status') },
      ...problems('START_FAILED', 'STOPPING'),
    },
  },
  logs: {
    summary: 'The last lines of the log, and with `follow=1` new ones as they come',
    parameters: parametersOf(logsQuerySchema.shape),
    responses: {
      200: { description: 'The lines, or the events', content: content('Logs', 'LogEvent') },
      ...problems('INVALID_QUERY', 'STOPPING'),
    },
  },
  reload: {
    summary: 'Replace every worker, one place at a time; during a reload, another one follows it',
    responses: {
      200: { description: 'Every worker was replaced, or the events', content: content('Reloaded', 'ReloadEvent') },
      ...problems(
        'UNEXPECTED_BODY',
        'DEPLOY_UNDER_WAY',
        'UPGRADE_UNDER_WAY',
        'ROLLED_BACK',
        'RELOAD_FAILED',
        'STOPPING',
      ),
    },
  },
  scale: {
    summary: 'Change how many processes run; surplus workers and balancers drain once all wanted ones serve',
    requestBody: { required: true, content: content('Scale') },
    responses: {
      200: { description: 'The counts that are wanted from now on', content: content('Scaled') },
      ...problems('INVALID_BODY', 'MODE_IS_FIXED', 'UPGRADE_UNDER_WAY', 'UNKNOWN_PROCESS', 'STOPPING'),
    },
  },
  releases: {
    summary: 'All releases, the newest first',
    responses: { 200: { description: 'The releases', content: content('Releases') }, ...problems('STOPPING') },
  },
  deploy: {
    summary:
      'Install a release, try it on a share of the clients, and make it live; if it fails, the previous one serves',
    parameters: parametersOf(deployQuerySchema.shape),
    requestBody: {
      required: true,
      description: 'A tar archive, compressed by gzip or not',
      content: { 'application/x-tar': {}, 'application/gzip': {} },
    },
    responses: {
      200: { description: 'The release is live, or the events', content: content('Deployed', 'DeployEvent') },
      ...problems('INVALID_QUERY', ...ONE_CHANGE_AT_A_TIME, 'ROLLED_BACK', 'ARCHIVE_REFUSED', 'INSTALL_FAILED'),
      ...problems('TAKEN_BACK', 'STOPPING'),
    },
  },
  activate: {
    summary: 'Make a release live that is in preview or was kept, tried as in a deploy',
    parameters: [
      { name: 'release', in: 'path', required: true, schema: { type: 'string' } },
      ...parametersOf(activateQuerySchema.shape),
    ],
    responses: {
      200: { description: 'The release is live, or the events', content: content('Deployed', 'DeployEvent') },
      ...problems('UNEXPECTED_BODY', 'INVALID_QUERY', 'UNKNOWN_RELEASE', 'ALREADY_LIVE', ...ONE_CHANGE_AT_A_TIME),
      ...problems('ROLLED_BACK', 'TAKEN_BACK', 'STOPPING'),
    },
  },
  environment: {
    summary: 'The variables that were set for the live release',
    responses: { 200: { description: 'The variables', content: content('Environment') }, ...problems('STOPPING') },
  },
  setEnvironment: {
    summary: 'Change variables of the app: a release with the same files takes the place of the live one',
    requestBody: { required: true, content: content('EnvironmentChange') },
    responses: {
      200: { description: 'The release is live, or the events', content: content('Deployed', 'DeployEvent') },
      ...problems('INVALID_BODY', ...ONE_CHANGE_AT_A_TIME, 'ROLLED_BACK', 'TAKEN_BACK', 'STOPPING'),
    },
  },
  run: {
    summary: 'Where a one-off command of the live release runs, and its environment',
    responses: { 200: { description: 'The place', content: content('RunPlace') }, ...problems('STOPPING') },
  },
  rollback: {
    summary: 'Go back to an earlier release',
    requestBody: { required: false, content: content('Rollback') },
    responses: {
      200: { description: 'The release is live, or the events', content: content('Deployed', 'DeployEvent') },
      ...problems('INVALID_BODY', 'UNKNOWN_RELEASE', 'ALREADY_LIVE', 'DEPLOY_UNDER_WAY', 'UPGRADE_UNDER_WAY'),
      ...problems('TAKEN_BACK', 'STOPPING'),
    },
  },
  pause: {
    summary: 'Hold requests back for a limited time; requests in flight end as usual',
    requestBody: { required: false, content: content('Pause') },
    responses: {
      200: { description: 'Every balancing process lets requests wait', content: content('Paused') },
      ...problems('INVALID_BODY', 'UPGRADE_UNDER_WAY', 'STILL_IN_FLIGHT', 'STOPPING'),
    },
  },
  resume: {
    summary: 'Let requests go on',
    responses: {
      200: { description: 'Requests go on', content: content('Resumed') },
      ...problems('UNEXPECTED_BODY', 'STOPPING'),
    },
  },
  maintain: {
    summary: 'Answer clients with 503 and a page in place of the app, or stop doing so; a restart does not end it',
    requestBody: { required: true, content: content('MaintenanceWanted') },
    responses: {
      200: { description: 'Every balancing process follows the order', content: content('MaintenanceSet') },
      ...problems('INVALID_BODY', 'STOPPING'),
    },
  },
  tokens: {
    summary: 'The tokens for the port of this API; over the unix socket alone',
    responses: {
      200: { description: 'The tokens', content: content('Tokens') },
      ...problems('SOCKET_ONLY', 'STOPPING'),
    },
  },
  createToken: {
    summary: 'Make a token; over the unix socket alone',
    requestBody: { required: false, content: content('CreateToken') },
    responses: {
      200: { description: 'The token, which is shown once', content: content('CreatedToken') },
      ...problems('INVALID_BODY', 'TOO_MANY_TOKENS', 'SOCKET_ONLY', 'STOPPING'),
    },
  },
  revokeToken: {
    summary: 'Refuse a token from now on; over the unix socket alone',
    requestBody: { required: true, content: content('RevokeToken') },
    responses: {
      200: { description: 'It is refused', content: content('RevokedToken') },
      ...problems('INVALID_BODY', 'UNKNOWN_TOKEN', 'SOCKET_ONLY', 'STOPPING'),
    },
  },
  upgrade: {
    summary: 'Hand over to another version of the program; over the unix socket alone',
    requestBody: { required: true, content: content('UpgradeWanted') },
    responses: {
      202: { description: 'It stands by, and this one is about to end', content: content('Upgrading') },
      ...problems('INVALID_BODY', ...ONE_CHANGE_AT_A_TIME, 'UPGRADE_REFUSED', 'SOCKET_ONLY', 'STOPPING'),
    },
  },
  stop: {
    summary: 'Stop as SIGTERM does: drain, then end',
    responses: {
      202: { description: 'The primary is about to stop', content: content('Stopping', 'StopEvent') },
      ...problems('UNEXPECTED_BODY', 'STOPPING'),
    },
  },
  openapi: {
    summary: 'This description',
    responses: { 200: { description: 'OpenAPI 3.1', content: { [contentTypes.json]: {} } } },
  },
}

/** @returns the whole document */
export function describeControlApi(): object {
  const paths: Record<string, object> = {}
  for (const name of Object.keys(routes) as RouteName[]) {
    const { method, path } = routes[name]
    paths[path] = { ...paths[path], [method.toLowerCase()]: { operationId: name, ...operations[name] } }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Outpost control API',
      version: '1',
      description:
        'HTTP on the unix socket DATA_DIR/run/control.sock; with ADMIN_PORT also on 127.0.0.1, where each request has ' +
        '`Authorization: Bearer TOKEN` (else 401, and 403 for a foreign Host or Origin). A long command answers with one JSON document at its end, ' +
        `or with events as it goes when \`Accept\` is \`${contentTypes.events}\`.`,
    },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, z.toJSONSchema(schema)])),
    },
  }
}
