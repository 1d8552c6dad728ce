import type { Namespace, Server, Socket } from 'socket.io'

type AdapterOf = Exclude<Parameters<Server['adapter']>[0], undefined>

/** Takes many small pieces of work, and leaves time between them for other work. */
export interface Slices {
  /** @param line lines take turns */
  add(sockets: readonly Socket[], act: (socket: Socket) => void, line: string): void
  /** Drops the work that waits. */
  stop(): void
}

/** Private methods of Socket.IO's adapters. Their types do not have them; a test checks this against the library. */
interface AdapterInside {
  /** Called right before the packet goes to its receivers. Only a packet that wants acknowledgements has an id. */
  _encode(packet: { id?: number }, options: object): unknown
  /** Calls `deliver` for each receiver. */
  apply(receivers: { readonly except?: Iterable<string> }, deliver: (socket: Socket) => void): void
}

const LINE = 'line of '

/**
 * An empty room for `io.except`, which tells the other workers in whose line a broadcast waits. A broadcast carries no data
 * but rooms.
 */
export function lineOf(speaker: string): string {
  return LINE + speaker
}

function lineAmong(rooms: Iterable<string> = []): string {
  for (const room of rooms) if (room.startsWith(LINE)) return room
  return ''
}

/**
 * Makes broadcasts, those of other workers too, go out through `slices`. A packet to one client, and everything that needs
 * an outcome, goes at once: so it may overtake a broadcast.
 */
export function inSlices(adapterOf: AdapterOf, slices: Slices): AdapterOf {
  return function slicedAdapter(namespace: Namespace) {
    const adapter = (adapterOf as (namespace: Namespace) => object)(namespace) as AdapterInside
    const encode = adapter._encode.bind(adapter)
    const apply = adapter.apply.bind(adapter)
    let isBroadcast = false
    return Object.assign(adapter, {
      _encode: (packet: { id?: number }, options: object) => {
        const encoded = encode(packet, options)
        isBroadcast = packet.id === undefined
        return encoded
      },
      apply: (receivers: { readonly except?: Iterable<string> }, deliver: (socket: Socket) => void) => {
        if (!isBroadcast) return apply(receivers, deliver)
        isBroadcast = false
        const sockets: Socket[] = []
        apply(receivers, socket => sockets.push(socket))
        // A client that leaves and joins again on its connection must not get what was sent before.
        slices.add(
          sockets,
          socket => {
            if (socket.connected) deliver(socket)
          },
          lineAmong(receivers.except),
        )
      },
    })
  } as unknown as AdapterOf
}
