/** The object store that Outpost embeds, in a process of its own, for all who put something into it alike. */
import { ObjectStore } from '../../dist/object-store/object-store.js'

const { directory, port, accessKey, secretKey, region } = JSON.parse(process.argv[2])
await new ObjectStore({ directory, port, accessKey, secretKey, region }).start()
