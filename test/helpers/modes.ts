/** The value of BALANCERS for each way to run. */
export const MODES = { 'default mode': '1', 'mesh mode': '0' } as const

export type Mode = keyof typeof MODES
