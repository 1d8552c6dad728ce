/** Beside the sockets of the workers: copies of answers that they share in mesh mode. */
export const KEPT_FOLDER = 'kept'
