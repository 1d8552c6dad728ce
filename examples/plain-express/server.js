// An app that is not written for Outpost: APP=examples/plain-express/server.js ./scripts/start-cluster.sh
import express from 'express'

const app = express()

app.get('/', (req, res) => {
  res.json({ hello: req.ip, secure: req.secure, pid: process.pid })
})

const port = process.env.PORT ?? 3000
app.listen(port, () => console.log(`listening on ${port}`))
