/** The contract of the control API, for both of its ends: routes, documents, events and errors. */

export * from './protocol/routes.js'
export * from './protocol/status.js'
export * from './protocol/counts.js'
export * from './protocol/releases.js'
export * from './protocol/edge.js'
export * from './protocol/tokens.js'
export * from './protocol/events.js'
export * from './protocol/errors.js'
