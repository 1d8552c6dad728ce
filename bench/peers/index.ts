import { bareCluster, bareHttpProxy } from './bare.js'
import { haproxy } from './haproxy.js'
import { nginxTuned, pm2Nginx } from './nginx.js'
import { outpost, outpostMesh } from './outpost.js'
import type { Peer } from './peer.js'
import { watt } from './watt.js'

export const peers: readonly Peer[] = [
  pm2Nginx,
  nginxTuned,
  haproxy,
  watt,
  bareHttpProxy,
  bareCluster,
  outpost,
  outpostMesh,
]
