/** Emitted by the response of an app whose client got another answer. The app's own handlers hear nothing of it. */
export const DETACHED = Symbol('detached')
