import t from 'tap'
import { MODES, type Mode } from '../helpers/modes.js'
import { clientsStay, oldClientsAreNamed, PATHS, reloadMovesClients, startSocketIo } from './suites/own-socketio.js'

const WORKERS = 2

// Most of the time is spent waiting, so two tests run at once. More workers, and all paths in each mode, are a proof.
t.jobs = 2

for (const mode of Object.keys(MODES) as Mode[]) {
  void t.test(`clients of an app's own Socket.IO stay connected over many workers, in ${mode}`, async t => {
    const cluster = await startSocketIo(t, mode, WORKERS)
    await clientsStay(t, cluster, WORKERS, mode === 'mesh mode' ? PATHS : ['/live/feed'])
    await oldClientsAreNamed(t, cluster)
    await reloadMovesClients(t, cluster, WORKERS)
  })
}
