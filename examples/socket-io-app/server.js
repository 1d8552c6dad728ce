// Socket.IO over all workers and machines: APP=examples/socket-io-app/server.js ./scripts/start-cluster.sh
import express from 'express'

export default outpost => {
  const app = express()
  const io = outpost.io()
  io.on('connection', socket => {
    // Reaches all other clients, at every worker.
    socket.on('say', text => socket.broadcast.emit('said', { text: String(text), by: socket.id }))
  })
  app.get('/', async (req, res) => {
    const sockets = await io.fetchSockets()
    res.json({ connected: sockets.length, pid: process.pid })
  })
  return app
}
