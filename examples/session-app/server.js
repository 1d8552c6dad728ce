// An app that uses the lent services: APP=examples/session-app/server.js ./scripts/start-cluster.sh
import express from 'express'

export default outpost => {
  const app = express()
  app.use(outpost.session())
  app.use(outpost.rateLimit({ rule: 'example', max: 1000, windowMs: 60_000 }))
  app.get('/', async (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    const total = await outpost.redis.incr('example:visits')
    res.json({ yours: req.session.visits, total, pid: process.pid })
  })
  outpost.onShutdown(() => outpost.log.info('bye'))
  return app
}
