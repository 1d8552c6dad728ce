import t from 'tap'
import { MODES, type Mode } from '../helpers/modes.js'
import { clientsStay, reloadMovesClients, startSocketIo } from '../integration/suites/own-socketio.js'

const WORKERS = 3

for (const mode of Object.keys(MODES) as Mode[]) {
  void t.test(`clients of an app's own Socket.IO stay connected over three workers, in ${mode}`, async t => {
    const cluster = await startSocketIo(t, mode, WORKERS)
    await clientsStay(t, cluster, WORKERS)
    await reloadMovesClients(t, cluster, WORKERS)
  })
}
