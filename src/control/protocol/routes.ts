/** Every route, by the name of its command. */
export const routes = {
  status: { method: 'GET', path: '/v1/status' },
  serving: { method: 'GET', path: '/v1/serving' },
  logs: { method: 'GET', path: '/v1/logs' },
  reload: { method: 'POST', path: '/v1/reload' },
  scale: { method: 'POST', path: '/v1/scale' },
  releases: { method: 'GET', path: '/v1/releases' },
  deploy: { method: 'POST', path: '/v1/releases' },
  environment: { method: 'GET', path: '/v1/env' },
  setEnvironment: { method: 'POST', path: '/v1/env' },
  run: { method: 'GET', path: '/v1/run' },
  activate: { method: 'POST', path: '/v1/releases/{release}/activate' },
  rollback: { method: 'POST', path: '/v1/rollback' },
  pause: { method: 'POST', path: '/v1/pause' },
  resume: { method: 'POST', path: '/v1/resume' },
  maintain: { method: 'POST', path: '/v1/maintenance' },
  tokens: { method: 'GET', path: '/v1/tokens' },
  createToken: { method: 'POST', path: '/v1/tokens' },
  revokeToken: { method: 'POST', path: '/v1/tokens/revoke' },
  upgrade: { method: 'POST', path: '/v1/upgrade' },
  stop: { method: 'POST', path: '/v1/stop' },
  openapi: { method: 'GET', path: '/v1/openapi.json' },
} as const

export type RouteName = keyof typeof routes

export const contentTypes = {
  json: 'application/json',
  /** One event per line. */
  events: 'application/x-ndjson',
  problem: 'application/problem+json',
} as const
