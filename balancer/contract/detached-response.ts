/** Emitted by the response of an app whose client got another answer. The app's own handlers get no event. */
export const DETACHED = Symbol('detached')
