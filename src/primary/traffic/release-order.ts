import type { EdgeOrder } from '#balancer/contract/edge-order.js'
import { previewTokenOf } from '#balancer/contract/preview-token.js'
import type { ReleaseSwitch } from '../releases/release-switch.js'

/** Pages of a release are used for this long after clients get another one. */
const MIXED_MS = 3_600_000

/** Tells the edge of the releases beside the one of all clients. */
export function releaseOrder({ preview, mixedAt }: ReleaseSwitch, previewKey: string): EdgeOrder {
  return {
    ...(preview?.isReady === true && {
      preview: { release: preview.release, token: previewTokenOf(preview.release, previewKey) },
    }),
    ...(mixedAt !== undefined && { mixedUntil: mixedAt + MIXED_MS }),
  }
}
