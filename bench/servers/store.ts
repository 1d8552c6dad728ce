/** The object store that Outpost embeds, in a process of its own: one store for all peers. */
import { ObjectStore, type ObjectStoreOptions } from '#src/object-store/object-store.js'

await new ObjectStore(JSON.parse(process.argv[2] ?? '') as ObjectStoreOptions).start()
