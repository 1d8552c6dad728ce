import type { Config } from './config.js'

/**
 * Whether Outpost's own answers tell browsers to use https for a year. Browsers then do so for the whole host, so
 * somebody else's app decides for itself. The built-in app tells them in production.
 */
export function tellsHttps({ app, production }: Pick<Config, 'app' | 'production'>): boolean {
  return app === undefined && production
}
