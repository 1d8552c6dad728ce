/** The header by which a balancer tells a worker who the client is. Workers believe it: only balancers reach them. */
export const IDENTITY_HEADER = 'x-outpost-client'
