/** The archive is not one that may be unpacked, or none at all. */
export class ArchiveError extends Error {}

export const NO_ARCHIVE = 'not a tar archive'
export const NOT_WHOLE = 'not a complete tar archive'
