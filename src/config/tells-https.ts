import type { Config } from './config.js'

/**
 * Whether answers that Outpost gives itself make browsers use https for a year. That holds for the whole host, so beside
 * somebody else's app it is for that app to say. The built-in app says it in production.
 */
export function tellsHttps({ app, production }: Pick<Config, 'app' | 'production'>): boolean {
  return app === undefined && production
}
