import { bareCluster, bareHttpProxy } from './bare.js'
import { haproxy } from './haproxy.js'
import { nginxTuned, pm2Nginx } from './nginx.js'
import { outpost, outpostMesh } from './outpost.js'

/**
 * @typedef {object} Running a peer that serves
 * @property {string} origin
 * @property {number[]} elders ids of the processes from which all the others of this peer descend
 * @property {() => Promise<void>} stop
 * @property {() => Promise<void>} [reload] replaces all workers, and resolves when that is done
 *
 * @typedef {object} StartOptions
 * @property {number} workers
 * @property {string} redisUrl
 * @property {'bench' | 'built-in'} [app] Outpost alone has an app of its own
 * @property {Record<string, string>} [env]
 * @property {string[]} [nodeArguments] for profiles: peers that hand them down to all their processes take them
 *
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} is what it is, in a line of a table
 * @property {() => string | undefined} missing what it lacks on this machine
 * @property {(options: StartOptions) => Promise<Running>} start
 */

/** @type {Peer[]} */
export const peers = [pm2Nginx, nginxTuned, haproxy, bareHttpProxy, bareCluster, outpost, outpostMesh]

/** What the others are measured by. */
export const BASELINE = 'pm2-nginx'
