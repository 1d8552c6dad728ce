/** Socket.IO on node:http and nothing else, in one process: the least that a connection costs. */
import http from 'node:http'
import { Server } from 'socket.io'

const server = http.createServer((_request, response) => response.end('OK'))
const io = new Server(server)
io.on('connection', socket => socket.on('message', (message: unknown) => io.emit('message', message)))
server.listen({ port: Number(process.env['PORT']), host: '127.0.0.1', backlog: 4_096 })
